package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/plain"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

// row is a workload.
type row struct {
	namespace, workload string
	sidecars            []string
	order               string
	pods, restarts      int
	kept                int
	hurts               int // how much it suffers
	worst               *corev1.Pod
	worstHurts          int
	verdict             verdict.Name
}

// addPod counts a pod that has a sidecar.
func addPod(rows map[string]*row, pod *corev1.Pod, events []corev1.Event) {
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
	found := verdict.Screen(pod, events)
	r.restarts += found.EarlyRestarts
	hurts := found.EarlyRestarts
	if found.Kept {
		r.kept++
		hurts += 1000
	}
	if found.HoldRanOut && strings.HasPrefix(r.order, "hold") {
		r.order = "hold, ran out"
		hurts++
	}
	r.hurts += hurts
	if r.worst == nil || hurts > r.worstHurts {
		r.worst, r.worstHurts = pod, hurts
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
		case c.IsApp() && c.IsGated():
			return strings.TrimSpace("startgate " + tagOf(containers))
		}
	}
	return order
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

// sorted returns the rows, those that hurt most first.
func sorted(rows map[string]*row) (list []*row) {
	for _, r := range rows {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *row) int {
		return cmp.Or(cmp.Compare(b.hurts, a.hurts), cmp.Compare(rank(a.order), rank(b.order)), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.workload, b.workload))
	})
	return list
}

// rank puts workloads that nothing protects first.
func rank(order string) int {
	if order == "native" || order == "hold" || strings.HasPrefix(order, "startgate") {
		return 1
	}
	return 0
}

func printRows(out io.Writer, list []*row, logs bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "NAMESPACE\tWORKLOAD\tPODS\tSIDECAR\tORDERED BY\tEARLY RESTARTS\tKEPT JOBS")
	if logs {
		fmt.Fprint(w, "\tVERDICT")
	}
	fmt.Fprintln(w)
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%d\t%d", r.namespace, plain.Text(r.workload), r.pods, strings.Join(r.sidecars, ","), plain.Text(r.order), r.restarts, r.kept)
		if logs {
			fmt.Fprintf(w, "\t%s", r.verdict)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
