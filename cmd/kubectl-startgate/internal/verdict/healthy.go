package verdict

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// healthy is a pod that is ready, and whose log from its start on tells of no failed connection that it did not get over.
func healthy(c *Case) *Verdict {
	if len(c.doubts()) > 0 {
		return nil
	}
	for _, app := range c.Apps {
		for _, s := range c.Sidecars {
			if s.Current().Ready.Known() {
				return c.healthyPair(app, s)
			}
			if c.isOver() {
				return &Verdict{Name: Healthy, Summary: "the pod has done its work, and no connection failed", Evidence: c.Timeline.Of(app.Name, timeline.Terminated)}
			}
		}
	}
	return nil
}

func (c *Case) healthyPair(app sidecar.Container, s Sidecar) *Verdict {
	v := &Verdict{Name: Healthy, Doubts: c.Timeline.Gaps}
	first := c.firstSign(app)
	ready := s.Current().Ready
	early := in(c.hits(timeline.Refused, timeline.Unresolved, timeline.TimedOut), starting)
	v.Evidence = append(known(s.Current().Started, first), shown(early)...)
	v.Evidence = append(v.Evidence, known(ready)...)
	switch {
	case len(early) > 0:
		v.Summary = fmt.Sprintf("%s failed %s before %s was ready, tried again by itself, and has worked since", early[0].app.Name, times(len(early)), s.Name)
		v.Doubts = append(v.Doubts, "it lives through the race; nothing prevents it")
		v.Cures = c.orderCures(early[0].app, s)
	case !first.Known() && c.isGated(app):
		v.Summary = fmt.Sprintf("no failed connection; %s is ready, and startgate has not started %s yet", s.Name, app.Name)
	case ready.Before(first):
		v.Summary = fmt.Sprintf("%s was ready %s before %s's first line", s.Name, span(first.At.Sub(ready.At)), app.Name)
	default:
		v.Summary = fmt.Sprintf("no failed connection; %s and %s were ready at about the same time", app.Name, s.Name)
		if first.Before(ready) && !s.Current().Loose {
			v.Summary = fmt.Sprintf("no failed connection, though %s began %s before %s was ready", app.Name, span(ready.At.Sub(first.At)), s.Name)
		}
	}
	return v
}

// firstSign is the application's first line, or its start. Where startgate is before it, its container's start is not
// its own.
func (c *Case) firstSign(app sidecar.Container) Entry {
	if log, ok := c.Timeline.Log(app.Name); ok && log.First.Known() {
		return log.First
	}
	if len(c.Timeline.Of(app.Name, timeline.Gate)) > 0 {
		return last(c.gateLines(app, timeline.GateStarting))
	}
	return c.began(app)
}

// eventLife is how long API servers keep events.
const eventLife = time.Hour

// doubts are what is missing for a verdict.
func (c *Case) doubts() (missing []string) {
	for _, s := range c.Sidecars {
		if !s.Current().Ready.Known() && !c.isOver() {
			missing = append(missing, c.doubtOfSidecar(s))
		}
	}
	if c.Pod == nil {
		missing = append(missing, "the pod's status: it is gone, and only logs and events are left")
	} else if !c.isReady() && !c.isOver() {
		missing = append(missing, "why the pod is not ready")
		missing = append(c.unfinished(), missing...)
	}
	for _, app := range c.Apps {
		missing = append(missing, c.doubtsOf(app)...)
	}
	return append(missing, c.unclear()...)
}

func (c *Case) doubtOfSidecar(s Sidecar) string {
	if s.isRunning() && !s.Status.Ready && c.isYoung(s) {
		text := fmt.Sprintf("how it ends: %s is still starting, for %s so far", s.Name, span(c.Now.Sub(s.Current().Started.At)))
		if hits := of(in(c.hits(timeline.Refused), starting), s); len(hits) > 0 {
			text += fmt.Sprintf(", and %s was refused meanwhile; if that ends with its readiness, it is the startup race", hits[0].app.Name)
		}
		return text
	}
	return "when " + s.Name + " was ready: neither its log nor its status tells"
}

// isOver reports whether the pod has done its work.
func (c *Case) isOver() bool { return c.Pod != nil && c.Pod.Status.Phase == corev1.PodSucceeded }

func (c *Case) doubtsOf(app sidecar.Container) (missing []string) {
	log, ok := c.Timeline.Log(app.Name)
	began := c.began(app)
	switch {
	case !ok && !c.hasPrevious(app):
		return []string{"the log of " + app.Name}
	case ok && log.Lines == 0 && !c.hasPrevious(app):
		return []string{"a line of " + app.Name + ": its log is empty"}
	case log.Untimed, c.untimed(app):
		missing = append(missing, "times: the log of "+app.Name+" has none, or none that names its zone; save it with "+c.kubectl("logs", c.Name, "-c", app.Name, "--timestamps"))
	case isRotated(log, began) && restarts(app) == 0:
		missing = append(missing, fmt.Sprintf("the start of %s's log: it begins at %s, %s after the container; the rest was rotated away", app.Name, clockOf(log.First), span(log.First.At.Sub(began.At))))
	}
	if restarts(app) > 0 && !c.hasPrevious(app) {
		missing = append(missing, fmt.Sprintf("the log of the run before: %s was restarted %s", app.Name, times(restarts(app))))
	}
	if restarts(app) > 0 && c.hasPrevious(app) && len(c.unclear()) == 0 && len(in(c.hits(timeline.Refused, timeline.Unresolved, timeline.TimedOut), starting, up, gone, restarting)) == 0 {
		missing = append(missing, fmt.Sprintf("why %s was restarted: %s", app.Name, c.behind(app)))
	}
	return missing
}

// behind says that connections failed at their server, behind a sidecar that was ready, if they did.
func (c *Case) behind(app sidecar.Container) string {
	for _, h := range slices.Backward(c.hits(timeline.Reset, timeline.Upstream)) {
		if h.app.Name == app.Name && h.outside == "" && h.phase == up {
			return fmt.Sprintf("%s was ready, and behind it a connection failed at %s, which is the server's or the mesh's: %s", h.sidecar.Name, clockOf(h.Entry), h.Text)
		}
	}
	return "its log tells of no failed connection"
}

// isRotated reports whether a log begins long after its container, and is so long that its head may have been dropped.
func isRotated(log timeline.LogStats, began Entry) bool {
	return began.Known() && log.First.Known() && log.First.At.Sub(began.At) > time.Minute && log.Lines > 100
}

func (c *Case) hasPrevious(app sidecar.Container) bool {
	for _, log := range c.Timeline.Logs {
		if log.Container == app.Name && log.Previous {
			return true
		}
	}
	return false
}

// unclear says of which failure the order is not known, and why.
func (c *Case) unclear() []string {
	hits := in(c.hits(timeline.Refused), unclear)
	if len(hits) == 0 {
		return nil
	}
	h := hits[0]
	if h.sidecar.Kind == nil {
		return []string{"which sidecars the pod has: neither its manifest nor the log of one is there"}
	}
	for _, run := range h.sidecar.Runs {
		if run.Ended.Known() && run.Ready.Before(h.Entry) && run.mayHaveEnded(h.Entry) && !run.Ended.Before(h.Entry) {
			return []string{fmt.Sprintf("whether %s still ran when %s was refused at %s: it ended at %s", h.sidecar.Name, h.app.Name, clockOf(h.Entry), clockOf(run.Ended))}
		}
	}
	if now, _ := h.sidecar.phaseAt(h.Entry); now == restarting {
		return []string{fmt.Sprintf("whether %s, which was refused at %s, was started before or after %s ended: after it, it is the startup race", h.app.Name, clockOf(h.Entry), h.sidecar.Name)}
	}
	run := h.sidecar.Current()
	question := fmt.Sprintf("whether %s was refused at %s before or after %s was ready", h.app.Name, clockOf(h.Entry), h.sidecar.Name)
	switch {
	case restarts(h.sidecar.Container) > 0 && h.Before(run.Started):
		return []string{question + ": the log of its run before is not there"}
	case run.Last.Known() && run.Ready.Before(h.Entry) && !h.Before(run.Last):
		return []string{fmt.Sprintf("whether %s still ran at %s: nothing of it is known after %s", h.sidecar.Name, clockOf(h.Entry), clockOf(run.Last))}
	case run.Loose:
		return []string{question + ": only the pod's condition tells of that, and it waits for all containers"}
	}
	return []string{question + ": the two times are closer than they are known"}
}

// cannotTell says what is missing.
func cannotTell(c *Case) *Verdict {
	v := &Verdict{Name: CannotTell, Severity: Undecided, Doubts: c.doubts()}
	v.Summary = "nothing that was read shows one of the known problems, nor that there is none"
	if len(v.Doubts) > 0 {
		v.Summary = "missing: " + v.Doubts[0]
	}
	for _, app := range append(slices.Clone(c.Inits), c.Apps...) {
		refused := c.Timeline.Of(app.Name, timeline.Refused)
		v.Evidence = append(v.Evidence, known(first(refused))...)
	}
	if c.Pod != nil && len(c.Events) == 0 && c.HasEvents() && c.Pod.Status.StartTime != nil && c.Now.Sub(c.Pod.Status.StartTime.Time) > eventLife {
		v.Doubts = append(v.Doubts, "events: the pod is older than an hour, for which API servers keep them")
	}
	v.Doubts = append(v.Doubts, c.Timeline.Gaps...)
	return v
}
