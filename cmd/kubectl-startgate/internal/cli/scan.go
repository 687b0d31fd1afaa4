package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/live"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/report"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

// scanOutputs are the formats of scan.
var scanOutputs = []string{"text", "json", "yaml"}

type scanner struct {
	*options
	all, logs bool
	selector  string
	output    string
	parallel  int
}

func newScan(o *options) *cobra.Command {
	s := &scanner{options: o}
	c := &cobra.Command{
		Use:   "scan",
		Short: "List the workloads with sidecars: what orders their starts, and what hurts",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.run(c.Context()) },
	}
	flags := c.Flags()
	flags.BoolVarP(&s.all, "all-namespaces", "A", false, "of all namespaces")
	flags.StringVarP(&s.selector, "selector", "l", "", "only pods with these labels")
	flags.StringVarP(&s.output, "output", "o", "text", strings.Join(scanOutputs, ", "))
	flags.BoolVar(&s.logs, "logs", false, "read the logs of the worst pod of each workload that hurts, for a verdict")
	flags.IntVar(&s.parallel, "parallel", 8, "how many pods are looked at at once, with --logs")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(scanOutputs, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (s *scanner) run(ctx context.Context) error {
	if !slices.Contains(scanOutputs, s.output) {
		return fmt.Errorf("-o %s is unknown: write one of %s", s.output, strings.Join(scanOutputs, ", "))
	}
	namespace := ""
	if !s.all {
		var err error
		if namespace, err = s.namespace(); err != nil {
			return err
		}
	}
	reader, err := s.reader()
	if err != nil {
		return err
	}
	events, gap := reader.RestartEvents(ctx, namespace)
	rows := map[string]*row{}
	seen := 0
	err = reader.EachPod(ctx, namespace, s.selector, func(pod *corev1.Pod) {
		seen++
		s.progress("pods: %d", seen)
		addPod(rows, pod, events.Of(pod))
	})
	if err != nil {
		return err
	}
	if gap != nil {
		fmt.Fprintf(s.ErrOut, "without events: cannot %s\n", gap)
	}
	list := sorted(rows)
	if s.logs {
		if err := s.decide(ctx, reader, list); err != nil {
			return err
		}
	}
	s.progress("")
	return s.print(list, seen)
}

func (s *scanner) print(list []*row, seen int) error {
	out := report.Scan{SchemaVersion: report.ScanVersion, Workloads: []report.Workload{}}
	for _, r := range list {
		out.Workloads = append(out.Workloads, r.Workload)
	}
	if s.output != "text" {
		return encode(s.Out, out, s.output)
	}
	if len(list) == 0 {
		fmt.Fprintf(s.ErrOut, "no pod with a known sidecar among %d\n", seen)
		return nil
	}
	return out.Table(s.Out, s.logs)
}

// progress shows how far it is, on a terminal.
func (s *scanner) progress(format string, args ...any) {
	if isTerminal(s.ErrOut) {
		fmt.Fprintf(s.ErrOut, "\r\x1b[K"+format, args...)
	}
}

// decide looks at the worst pod of each workload that hurts.
func (s *scanner) decide(ctx context.Context, reader *live.Reader, list []*row) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(s.parallel, 1))
	var lock sync.Mutex
	done := 0
	list = slices.DeleteFunc(slices.Clone(list), func(r *row) bool { return r.hurts == 0 })
	for _, r := range list {
		group.Go(func() error {
			r.Verdict = verdict.Decide(verdict.NewCase(reader.Evidence(ctx, r.worst), s.limits.At))[0].Name
			lock.Lock()
			defer lock.Unlock()
			done++
			s.progress("logs: %d of %d", done, len(list))
			return ctx.Err()
		})
	}
	return group.Wait()
}
