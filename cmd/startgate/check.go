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
		if s.Name == waitFor {
			value = g.config.WaitFor.String()
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
	fmt.Fprint(table, "\nMODE\tWHY\nreplace\tnothing needs a parent\n")
	_, note := injectionOf(g.config.SidecarStatus)
	if note != "" {
		notes = append(notes, note)
	}
	if len(notes) > 0 {
		fmt.Fprintln(table, "\nWARNINGS")
	}
	for _, note := range notes {
		fmt.Fprintln(table, note)
	}
	return table.Flush()
}
