package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// check prints what startgate would do: the settings and where each comes from,
// the targets as parsed, the mode and why.
func (g *gate) check(notes []string) error {
	table := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tVALUE\tFROM")
	for _, s := range settings() {
		value, from := s.Default, "default"
		if set, ok := os.LookupEnv(s.Name); ok {
			value, from = set, "environment"
		}
		switch s.Name {
		case waitFor:
			value = g.config.WaitFor.String()
		case quitSetting:
			value = g.config.Quit.String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, value, from)
	}
	fmt.Fprint(table, "\nTARGET\tPROBED AT\tKNOCKED AT\n")
	for _, target := range g.config.WaitFor {
		ready, knock := "-", "-"
		if target.Sidecar != nil {
			ready, knock = strings.Join(target.Sidecar.Ready, " "), cmp.Or(target.Sidecar.Knock, "-")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", target.Name, ready, knock)
	}
	if err := g.interruptible(g.lookAround); err != nil {
		return err
	}
	notes = append(notes, g.pod.notes...)
	if g.pod.skipped != "" {
		notes = append(notes, g.pod.skipped)
	}
	fmt.Fprintf(table, "\nMODE\tWHY\n%s\t%s\n", g.pod.mode(), g.pod.why)
	if len(notes) > 0 {
		fmt.Fprintln(table, "\nWARNINGS")
	}
	for _, note := range notes {
		fmt.Fprintln(table, note)
	}
	return table.Flush()
}
