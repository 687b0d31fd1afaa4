package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/live"
)

// outputs are the formats of diagnose.
var outputs = []string{"text", "json", "yaml", "markdown", "patch", "kustomize"}

type diagnose struct {
	*options
	selector, output, cure, from, save, at string
	role                                   bool
	maxPods                                int
}

func newDiagnose(o *options) *cobra.Command {
	d := &diagnose{options: o}
	c := &cobra.Command{
		Use:   "diagnose (POD | TYPE/NAME | -l SELECTOR | --from PATH [POD])",
		Short: "Say what is the matter with a pod, why, and what to change",
		Example: `  kubectl startgate diagnose web-7d4b9c-x2x7k -n shop
  kubectl startgate diagnose deploy/web -n shop
  kubectl startgate diagnose deploy/web -n shop -o patch --cure hold | kubectl patch deploy web -n shop --patch-file /dev/stdin
  kubectl startgate diagnose web-7d4b9c-x2x7k --save incident
  kubectl startgate diagnose --from incident`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return d.run(c.Context(), args) },
	}
	flags := c.Flags()
	flags.StringVarP(&d.selector, "selector", "l", "", "the pods with these labels")
	flags.StringVarP(&d.output, "output", "o", "text", strings.Join(outputs, ", "))
	flags.StringVar(&d.cure, "cure", "", "with -o patch or kustomize: which cure; the first that has a patch if empty")
	flags.StringVar(&d.from, "from", "", "read saved files of this folder instead of a cluster")
	flags.StringVar(&d.save, "save", "", "write what --from reads into this folder")
	flags.StringVar(&d.at, "at", "", "look at the pod as it was at this time, such as 2026-11-22T10:42:00Z")
	flags.DurationVar(&d.limits.Since, "since", 0, "read only log lines that are not older than this")
	flags.StringVarP(&d.limits.Container, "container", "c", "", "of the applications, look at this one only")
	flags.IntVar(&d.maxPods, "max-pods", 10, "look at no more pods than this; those with most restarts first")
	flags.BoolVar(&d.role, "print-role", false, "print the ClusterRole of all that is read, and end")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (d *diagnose) run(ctx context.Context, args []string) error {
	if d.role {
		_, err := io.WriteString(d.Out, live.Role)
		return err
	}
	if !slices.Contains(outputs, d.output) {
		return fmt.Errorf("-o %s is unknown: write one of %s", d.output, strings.Join(outputs, ", "))
	}
	at, err := parseAt(d.at)
	if err != nil {
		return err
	}
	d.limits.At = at
	gather := d.fromCluster
	if d.from != "" {
		gather = d.fromFiles
	}
	all, err := gather(ctx, args)
	if err != nil {
		return err
	}
	if err := d.checkContainer(all); err != nil {
		return err
	}
	if err := d.saveAll(all); err != nil {
		return err
	}
	return d.print(all, at)
}

func parseAt(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, fmt.Errorf("--at %s is no time: write it as 2026-11-22T10:42:00Z", text)
	}
	return at, nil
}
