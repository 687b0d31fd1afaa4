package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/live"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

type scanner struct {
	*options
	all, logs bool
	selector  string
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
	flags.BoolVar(&s.logs, "logs", false, "read the logs of the worst pod of each workload that hurts, for a verdict")
	flags.IntVar(&s.parallel, "parallel", 8, "how many pods are looked at at once, with --logs")
	return c
}

// row is a workload.
type row struct {
	namespace, workload string
	sidecars            []string
	order               string
	pods, restarts      int
	kept                int
	worst               *corev1.Pod
	verdict             verdict.Name
}

// hurts says how much a workload suffers.
func (r *row) hurts() int { return r.kept*1000 + r.restarts }

func (s *scanner) run(ctx context.Context) error {
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
	rows := map[string]*row{}
	seen := 0
	err = reader.EachPod(ctx, namespace, s.selector, func(pod *corev1.Pod) {
		seen++
		s.progress("%d pods", seen)
		addPod(rows, pod)
	})
	if err != nil {
		return err
	}
	list := sorted(rows)
	if s.logs {
		if err := s.decide(ctx, reader, list); err != nil {
			return err
		}
	}
	s.progress("")
	if len(list) == 0 {
		fmt.Fprintf(s.ErrOut, "no pod with a known sidecar among %d\n", seen)
		return nil
	}
	return printRows(s.Out, list, s.logs)
}

// progress shows how far it is, on a terminal.
func (s *scanner) progress(format string, args ...any) {
	if isTerminal(s.ErrOut) {
		fmt.Fprintf(s.ErrOut, "\r\x1b[K"+format, args...)
	}
}

// addPod counts a pod that has a sidecar.
func addPod(rows map[string]*row, pod *corev1.Pod) {
	containers := sidecar.Containers(pod)
	var kinds []string
	for _, c := range containers {
		if c.Kind != nil {
			kinds = append(kinds, c.Kind.Name)
		}
	}
	if len(kinds) == 0 {
		return
	}
	workload := "pod/" + pod.Name
	if owner := evidence.OwnerOf(pod); owner.Name != "" {
		workload = owner.Resource()
	}
	key := pod.Namespace + "/" + workload
	r := rows[key]
	if r == nil {
		r = &row{namespace: pod.Namespace, workload: workload, sidecars: kinds, order: orderOf(containers)}
		rows[key] = r
	}
	r.pods++
	n := earlyRestarts(pod, containers)
	r.restarts += n
	isKept := verdict.IsKept(pod)
	if isKept {
		r.kept++
	}
	if r.worst == nil || n > earlyRestarts(r.worst, sidecar.Containers(r.worst)) || isKept {
		r.worst = pod
	}
}

// orderOf says what makes the application wait for the sidecar.
func orderOf(containers []sidecar.Container) string {
	order := "none"
	for _, c := range containers {
		switch {
		case c.Kind != nil && c.Native && c.Spec.StartupProbe != nil:
			order = "native"
		case c.Kind != nil && c.Native:
			order = "native, no startupProbe"
		case c.Kind != nil && c.Spec.Lifecycle != nil && c.Spec.Lifecycle.PostStart != nil:
			order = "hold"
		case isGate(c):
			return strings.TrimSpace("startgate " + tagOf(containers))
		}
	}
	return order
}

// isGate reports whether a container starts by startgate.
func isGate(c sidecar.Container) bool {
	return c.IsApp() && slices.ContainsFunc(c.Spec.Command, func(arg string) bool { return arg == "startgate" || strings.HasSuffix(arg, "/startgate") })
}

// tagOf returns the tag of the image that brings startgate.
func tagOf(containers []sidecar.Container) string {
	for _, c := range containers {
		image, tag, ok := strings.Cut(c.Spec.Image[strings.LastIndexByte(c.Spec.Image, '/')+1:], ":")
		if ok && strings.Contains(image, "startgate") {
			return tag
		}
	}
	return ""
}

// earlyRestarts counts the restarts of applications before the pod was first ready, as far as its status tells: those
// of a pod that is not ready, or whose last end came before it was ready.
func earlyRestarts(pod *corev1.Pod, containers []sidecar.Container) (n int) {
	var ready *corev1.PodCondition
	for i, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			ready = &pod.Status.Conditions[i]
		}
	}
	for _, c := range containers {
		if !c.IsApp() || c.Status == nil || c.Status.RestartCount == 0 {
			continue
		}
		ended := c.Status.LastTerminationState.Terminated
		if ready == nil || ended != nil && !ended.FinishedAt.After(ready.LastTransitionTime.Time) {
			n += int(c.Status.RestartCount)
		}
	}
	return n
}

// sorted returns the rows, those that hurt most first.
func sorted(rows map[string]*row) (list []*row) {
	for _, r := range rows {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *row) int {
		return cmp.Or(cmp.Compare(b.hurts(), a.hurts()), cmp.Compare(boolRank(a.order), boolRank(b.order)), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.workload, b.workload))
	})
	return list
}

// boolRank puts workloads that nothing protects first.
func boolRank(order string) int {
	if order == "none" {
		return 0
	}
	return 1
}

// decide looks at the worst pod of each workload that hurts.
func (s *scanner) decide(ctx context.Context, reader *live.Reader, list []*row) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(s.parallel, 1))
	var lock sync.Mutex
	done := 0
	for _, r := range list {
		if r.hurts() == 0 {
			continue
		}
		group.Go(func() error {
			r.verdict = verdict.Decide(verdict.NewCase(reader.Evidence(ctx, r.worst), s.limits.At))[0].Name
			lock.Lock()
			defer lock.Unlock()
			done++
			s.progress("%d logs", done)
			return ctx.Err()
		})
	}
	return group.Wait()
}

func printRows(out io.Writer, list []*row, logs bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "NAMESPACE\tWORKLOAD\tPODS\tSIDECAR\tORDERED BY\tEARLY RESTARTS\tKEPT JOBS")
	if logs {
		fmt.Fprint(w, "\tVERDICT")
	}
	fmt.Fprintln(w)
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%d\t%d", r.namespace, r.workload, r.pods, strings.Join(r.sidecars, ","), r.order, r.restarts, r.kept)
		if logs {
			fmt.Fprintf(w, "\t%s", r.verdict)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
