package verdict

import (
	"slices"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// phase is what a sidecar did at some time.
type phase int

const (
	unclear    phase = iota
	starting         // not ready yet since the application's start
	up               // ready
	restarting       // not ready yet, after a restart that the application has seen
	gone             // ended, and not started again
	late             // ready, but so short a time before that the line may tell of an attempt before
)

// phaseAt says what the sidecar did when an entry happened, and in which of its runs. It knows nothing of the
// application's start, and calls everything after a restart restarting.
func (s Sidecar) phaseAt(entry Entry) (p phase, run int) {
	for i, run := range s.Runs {
		now := restarting
		if isFirst := i == 0 && restarts(s.Container) < len(s.Runs); isFirst {
			now = starting
		}
		p := run.phaseAt(entry)
		isOver := i+1 < len(s.Runs) && s.Runs[i+1].First.Before(entry) && !entry.Before(run.Ended)
		switch {
		case p == starting:
			return now, i
		case p != gone && !isOver:
			return p, i
		}
	}
	return gone, len(s.Runs) - 1
}

// phaseAfterRestart is starting if the application was started after the end of the sidecar's run before this one, as
// when a node is rebooted, and restarting if it ran on while the sidecar was away.
func (c *Case) phaseAfterRestart(h hit, run int) phase {
	began := c.startOf(h)
	ranOn := c.Pod != nil && restarts(h.app) == 0
	if run > 0 {
		before := h.sidecar.Runs[run-1]
		if began.Known() && before.hasEnded(began) {
			return starting
		}
		log, _ := c.Timeline.LogOf(h.app.Name, h.Previous)
		for _, sign := range known(began, log.First) { // of the application's run
			ranOn = ranOn || !before.mayHaveEnded(sign)
		}
	}
	switch {
	case ranOn:
		return restarting
	case began.Known() && h.run.Started.Known() && !began.Before(h.run.Started):
		return starting
	}
	return unclear
}

// hasEnded reports whether a run was over when an entry happened.
func (r Run) hasEnded(entry Entry) bool {
	return slices.ContainsFunc([]Entry{r.Ending, r.Last, r.Ended}, func(end Entry) bool { return end.Known() && end.Before(entry) })
}

// mayHaveEnded reports whether a run may have been over when an entry happened. The runtime notices an end a moment
// after it.
func (r Run) mayHaveEnded(entry Entry) bool {
	return r.Ending.Known() && !entry.Before(r.Ending) || r.Last.Known() && !entry.Before(r.Last) ||
		r.Ended.Known() && !entry.BeforeTime(r.Ended.At.Add(-lag))
}

// lag is how much later than the attempt a program may log that it failed, and a runtime that a program has ended.
const lag = time.Second

// phaseAt is starting, late, up, gone or unclear.
func (r Run) phaseAt(entry Entry) phase {
	isBefore := entry.Before(r.Started) || entry.Before(r.NotReady)
	switch {
	case isBefore:
		return starting
	case r.Ended.Known() && r.Ended.Before(entry):
		return gone
	case !r.Ready.Known() && r.Ended.Known():
		return unclear // nobody knows whether that run was ever ready
	case !r.Ready.Known():
		return starting
	case r.Loose && entry.Before(r.Ready):
		return unclear // the sidecar may have been ready long before the pod was
	case entry.Before(r.Ready):
		return starting
	case !r.Ready.Before(entry):
		return unclear
	case r.Ending.Known() && r.Ending.Before(entry):
		return gone
	case r.mayHaveEnded(entry):
		return unclear
	case entry.At.Sub(r.Ready.At) < lag:
		return late
	}
	return up
}

// related returns the sidecars that a connection to the target goes through: those in the pod itself for a
// loopback address, else the mesh's.
func (c *Case) related(target string) (found []Sidecar) {
	for _, s := range c.Sidecars {
		if s.Kind.Mesh != timeline.IsLoopback(target) || target == "" {
			found = append(found, s)
		}
	}
	if target == "" && slices.ContainsFunc(found, func(s Sidecar) bool { return s.Kind.Mesh }) {
		found = slices.DeleteFunc(found, func(s Sidecar) bool { return !s.Kind.Mesh })
	}
	return found
}
