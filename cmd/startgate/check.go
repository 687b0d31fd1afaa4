package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/startgate/startgate/wait"
)

// check prints what startgate would do: the settings and where each comes from,
// the targets as parsed, the mode and why, and warnings.
func (g *gate) check(notes []string) error {
	if err := g.interruptible(g.lookAround); err != nil {
		return err
	}
	notes = append(notes, g.pod.notes...)
	if g.pod.skipped != "" {
		notes = append(notes, g.pod.skipped)
	}
	table := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	g.checkSettings(table)
	checkTargets(table, g.pod.targets)
	checkQuits(table, g.pod.quits)
	fmt.Fprintf(table, "\nMODE\tWHY\n%s\t%s\n", g.pod.mode(), g.pod.why)
	if len(notes) > 0 {
		fmt.Fprintln(table, "\nNOTES")
	}
	for _, note := range notes {
		fmt.Fprintln(table, note)
	}
	return table.Flush()
}

func (g *gate) checkSettings(w io.Writer) {
	hidden := map[string]string{waitFor: g.config.WaitFor.String(), quitSetting: g.config.Quit.String()}
	fmt.Fprintln(w, "SETTING\tFROM\tVALUE")
	for _, s := range settings() {
		value, from := cmp.Or(s.Default, "-"), "default"
		if set, ok := os.LookupEnv(s.Name); ok {
			value, from = cmp.Or(hidden[s.Name], set, `""`), "environment"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, from, value)
	}
}

func checkTargets(w io.Writer, targets []wait.Target) {
	fmt.Fprint(w, "\nWAITS FOR\tPROBED AT\n")
	for _, target := range targets {
		at := target.Name
		if target.Sidecar != nil {
			at = strings.Join(target.Sidecar.Ready, ", ")
			if target.Sidecar.EarlyKnock != "" {
				at += " (and knocks at " + target.Sidecar.EarlyKnock + ")"
			}
		}
		fmt.Fprintf(w, "%s\t%s\n", target.Name, at)
	}
	if len(targets) == 0 {
		fmt.Fprintln(w, "nothing")
	}
}

func checkQuits(w io.Writer, quits []wait.Target) {
	if len(quits) == 0 {
		return
	}
	fmt.Fprint(w, "\nTELLS TO QUIT\tBY A POST TO\n")
	for _, target := range quits {
		at := target.Name
		if target.Sidecar != nil {
			at = target.Sidecar.Quit
		}
		fmt.Fprintf(w, "%s\t%s\n", target.Name, at)
	}
}
