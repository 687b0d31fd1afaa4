package verdict

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// Sidecar is a sidecar of the pod, with the runs of it that are known: the current one, and the
// one before it.
type Sidecar struct {
	sidecar.Container
	Runs []Run
}

// Run is one run of a sidecar. What is not known has no time.
type Run struct {
	Started  Entry
	NotReady Entry // the last sign that it was not ready yet
	Ready    Entry // the first sign that it was ready, which may come late
	Ending   Entry // the first sign that it shuts down
	Ended    Entry
	// First is the first line of its log: the run before has ended by then, more exactly than the kubelet tells.
	First Entry
	// Last is the last one, if nothing else tells when it ran.
	Last Entry
	// Inferred says that nothing tells of its readiness, except that the signs of the contrary end.
	Inferred bool
	// Loose says that only the pod's condition tells of its readiness, which waits for all containers.
	Loose bool
}

func newSidecar(t *timeline.Timeline, c sidecar.Container, pod *corev1.Pod) Sidecar {
	s := Sidecar{Container: c}
	for _, previous := range []bool{true, false} {
		run, known := newRun(t, s, previous, pod)
		if known || !previous {
			s.Runs = append(s.Runs, run)
		}
	}
	return s
}

func newRun(t *timeline.Timeline, s Sidecar, previous bool, pod *corev1.Pod) (run Run, known bool) {
	of := func(kinds ...timeline.Kind) (found []Entry) {
		for _, entry := range t.Of(s.Name, kinds...) {
			if entry.Source == "event" || entry.Previous == previous {
				found = append(found, entry)
			}
		}
		return found
	}
	for _, entry := range of(timeline.Started) {
		if entry.Source != "event" || pod == nil && !previous {
			run.Started = entry
			break
		}
	}
	run.Ended = first(of(timeline.Terminated))
	run.Ready = first(of(timeline.SidecarReady))
	signs := of(timeline.SidecarNot, timeline.ProbeFailed)
	if !run.Ready.Known() && !previous {
		run.readyByGate(t, s)
	}
	if !run.Ready.Known() && !previous {
		run.readyByStatus(t, s, pod)
	}
	run.findEnding(of(timeline.SidecarEnding, timeline.Killing))
	if !s.Native && !previous { // TERM goes to all containers at once, and to native sidecars after them
		run.findEnding(t.Of("", timeline.Deleted))
	}
	run.findNotReady(signs)
	log, _ := t.LogOf(s.Name, previous)
	run.First = log.First
	if pod == nil {
		run.Last = log.Last
	}
	if pod == nil && !previous {
		run.infer(t)
	}
	return run, run.Started.Known() || run.Ended.Known() || run.Ready.Known()
}

// findNotReady takes the last sign before the readiness that the sidecar was not ready yet.
func (r *Run) findNotReady(signs []Entry) {
	for _, sign := range signs {
		isOurs := !r.Started.Known() || !sign.Before(r.Started)
		isEarly := !r.Ready.Known() || sign.Before(r.Ready)
		isBeforeEnd := !r.Ended.Known() || !r.Ended.Before(sign)
		if sign.Known() && isOurs && isEarly && isBeforeEnd && isReadiness(sign) && !isDraining(sign) {
			r.NotReady = sign
		}
	}
}

// findEnding takes the first sign that the sidecar shuts down. While a pod ends, its status may still call its
// containers running.
func (r *Run) findEnding(signs []Entry) {
	for _, sign := range signs {
		if r.Ready.Known() && !sign.Before(r.Ready) && !r.Ending.Known() {
			r.Ending = sign
		}
	}
}

// readyByGate takes the readiness from startgate, which has asked for it.
func (r *Run) readyByGate(t *timeline.Timeline, s Sidecar) {
	for _, entry := range t.Entries {
		if entry.Event() == timeline.GateReady && entry.Fields["target"] == s.Kind.Name && !entry.Before(r.Started) {
			r.Ready = entry
			return
		}
	}
}

// readyByStatus takes the readiness from the pod's status.
func (r *Run) readyByStatus(t *timeline.Timeline, s Sidecar, pod *corev1.Pod) {
	if pod == nil || s.Status == nil || !s.Status.Ready || s.Spec.ReadinessProbe == nil && s.Spec.StartupProbe == nil {
		return // without a probe the kubelet calls a container ready when it runs
	}
	for _, entry := range t.Of("", timeline.PodReady) {
		r.Ready, r.Loose = entry, true
	}
}

// quiet is how long nothing must tell of a sidecar that is not ready, until it is taken for ready: more than
// the period of its probes, as all injectors set them.
const quiet = 20 * time.Second

// infer takes a sidecar for ready when its probes no longer fail, and other things are still told.
func (r *Run) infer(t *timeline.Timeline) {
	if !r.Ready.Known() && r.NotReady.Known() && t.End().Sub(r.NotReady.At) > quiet {
		r.Ready, r.Inferred = r.NotReady, true
		r.Ready.At, r.Ready.Resolution = r.NotReady.At.Add(r.NotReady.Resolution), quiet
		r.Ready.Text = "no sign after this that it is not ready"
	}
}

// isReadiness reports whether a sign is about readiness or startup. A liveness probe that fails is another matter.
func isReadiness(sign Entry) bool {
	return sign.Kind != timeline.ProbeFailed || !strings.Contains(sign.Text, "Liveness")
}

// isDraining reports whether a sign comes from a sidecar that is being shut down.
func isDraining(sign Entry) bool { return strings.Contains(sign.Text, "DRAINING") }

func first(entries []Entry) Entry {
	if len(entries) == 0 {
		return Entry{}
	}
	return entries[0]
}

func last(entries []Entry) Entry {
	if len(entries) == 0 {
		return Entry{}
	}
	return entries[len(entries)-1]
}

// Current returns the last run, which is empty if there is no sidecar.
func (s Sidecar) Current() Run {
	if len(s.Runs) == 0 {
		return Run{}
	}
	return s.Runs[len(s.Runs)-1]
}

// readyAt returns the last readiness before an entry, or else that of the current run.
func (s Sidecar) readyAt(entry Entry) Entry {
	ready := s.Current().Ready
	for _, run := range s.Runs {
		if run.Ready.Before(entry) {
			ready = run.Ready
		}
	}
	return ready
}

// isRunning reports whether the sidecar runs now.
func (s Sidecar) isRunning() bool { return s.Status != nil && s.Status.State.Running != nil }

// hasHook reports whether the kubelet waits for a hook of it before it starts the next container.
func (s Sidecar) hasHook() bool {
	return s.Spec != nil && s.Spec.Lifecycle != nil && s.Spec.Lifecycle.PostStart != nil
}
