package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/startgate/startgate/wait"
)

// check prints what startgate would do: the settings and where each comes from, the
// plan as it is in this pod now, whether there can be metrics, and warnings.
func (g *gate) check() error {
	if err := g.signals.Do(context.Background(), g.look); err != nil {
		return err
	}
	table := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	g.checkSettings(table)
	checkPlan(table, g.current())
	checkMetrics(table, g.settings.Metrics)
	notes := g.notes()
	if text := g.skipped(); text != "" {
		notes = append(notes, hint{text: text})
	}
	if len(notes) > 0 {
		fmt.Fprintln(table, "\nNOTES")
	}
	for _, note := range notes {
		fmt.Fprintln(table, note.text)
	}
	if g.plan.lacksStatus {
		fmt.Fprintln(table, "\nADD TO THE CONTAINER'S ENV\n"+manifestLines)
	}
	return table.Flush()
}

func (g *gate) checkSettings(w io.Writer) {
	fmt.Fprintln(w, "SETTING\tFROM\tVALUE")
	for i, s := range describeSettings() {
		value, from := s.shown(reflect.ValueOf(g.settings).Field(i))
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, from, value)
	}
}

func checkPlan(w io.Writer, p plan) {
	checkTargets(w, p.targets)
	checkQuits(w, p.quits)
	mode, why := p.mode()
	fmt.Fprintf(w, "\nMODE\tWHY\n%s\t%s\n", mode, why)
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
	fmt.Fprint(w, "\nSHUTS DOWN\tBY A POST TO\n")
	for _, target := range quits {
		at := target.Name
		if target.Sidecar != nil {
			at = target.Sidecar.Quit
		}
		fmt.Fprintf(w, "%s\t%s\n", target.Name, at)
	}
}
