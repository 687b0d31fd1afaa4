package verdict

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// Screening is what a pod's status and events tell of it without its logs.
type Screening struct {
	EarlyRestarts int // of applications, before the pod was first ready
	Kept          bool
	HoldRanOut    bool
}

// Screen looks at a pod's status and events.
func Screen(pod *corev1.Pod, events []corev1.Event) (s Screening) {
	c := NewCase(&evidence.Evidence{Namespace: pod.Namespace, Name: pod.Name, Pod: pod, Events: events}, time.Time{})
	for _, app := range c.Apps {
		s.EarlyRestarts += c.earlyRestarts(app)
	}
	s.Kept = c.jobKept(func(int) bool { return true }) != nil
	s.HoldRanOut = holdRanOut(c) != nil
	return s
}

// settled is how long an application runs that is taken to have been ready. What ends later is not its start.
const settled = 10 * time.Minute

// earlyRestarts counts the restarts of an application before the pod was first ready. The status has only the last of
// them. If that came later, one that events tell of counts as one.
func (c *Case) earlyRestarts(app sidecar.Container) int {
	if restarts(app) == 0 {
		return 0
	}
	ended := app.Status.LastTerminationState.Terminated
	ready := last(c.Timeline.Of("", timeline.PodReady))
	isUnready := !ready.Known() || ended != nil && !ended.FinishedAt.After(ready.At)
	isShort := ended == nil || ended.FinishedAt.Sub(ended.StartedAt.Time) < settled
	switch {
	case isUnready && isShort:
		return restarts(app)
	case slices.ContainsFunc(c.Timeline.Of(app.Name, timeline.BackOff, timeline.Killing), c.isEarlyRestart):
		return 1
	}
	return 0
}

// isEarlyRestart reports whether an event is about a restart in the pod's first minutes.
func (c *Case) isEarlyRestart(event Entry) bool {
	isRestart := strings.Contains(event.Text, "restarting failed container") || probeOf(event.Text) != ""
	began := c.Pod.Status.StartTime
	return isRestart && began != nil && event.At.Sub(began.Time) < settled
}
