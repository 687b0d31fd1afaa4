package cli

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/plain"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/report"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

// row is a workload.
type row struct {
	report.Workload
	hurts      int // how much it suffers
	worst      *corev1.Pod
	worstHurts int
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
		r = &row{Workload: report.Workload{Namespace: pod.Namespace, Workload: plain.Text(workload), Sidecars: kinds, OrderedBy: plain.Text(orderOf(containers))}}
		rows[key] = r
	}
	r.Pods++
	found := verdict.Screen(pod, events)
	r.EarlyRestarts += found.EarlyRestarts
	hurts := found.EarlyRestarts
	if found.Kept {
		r.KeptJobs++
		hurts += 1000
	}
	if found.HoldRanOut && strings.HasPrefix(r.OrderedBy, "hold") {
		r.OrderedBy = "hold, ran out"
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
		return cmp.Or(cmp.Compare(b.hurts, a.hurts), cmp.Compare(rank(a.OrderedBy), rank(b.OrderedBy)), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Workload.Workload, b.Workload.Workload))
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
