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
	worst               *corev1.Pod
	verdict             verdict.Name
}

// hurts says how much a workload suffers.
func (r *row) hurts() int { return r.kept*1000 + r.restarts }

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
		return cmp.Or(cmp.Compare(b.hurts(), a.hurts()), cmp.Compare(rank(a.order), rank(b.order)), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.workload, b.workload))
	})
	return list
}

// rank puts workloads that nothing protects first.
func rank(order string) int {
	if order == "none" {
		return 0
	}
	return 1
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
