package timeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
)

// Timeline is what happened to a pod, in order. Entries without a time come last.
type Timeline struct {
	Entries    []Entry
	Containers []sidecar.Container
	Logs       []LogStats
	Gaps       []string
}

// builder makes a timeline.
type builder struct{ timeline Timeline }

func (b *builder) entry(entry Entry) { b.timeline.Entries = append(b.timeline.Entries, entry) }

func (b *builder) gap(format string, args ...any) {
	b.timeline.Gaps = append(b.timeline.Gaps, fmt.Sprintf(format, args...))
}

// Build makes the timeline of a pod. What happened after at is left out, unless at is zero.
func Build(e *evidence.Evidence, at time.Time) *Timeline {
	b := &builder{}
	b.timeline.Containers = Containers(e)
	if e.Pod != nil {
		b.addPod(e.Pod)
	}
	for _, event := range e.Events {
		b.addEvent(event)
	}
	for _, log := range e.Logs {
		b.addLog(log, kindOf(b.timeline.Containers, log.Container))
	}
	b.addGaps(e)
	t := &b.timeline
	slices.SortStableFunc(t.Entries, compare)
	if !at.IsZero() {
		t.Entries = slices.DeleteFunc(t.Entries, func(e Entry) bool { return e.At.After(at) })
	}
	return t
}

func compare(a, b Entry) int {
	switch {
	case a.Known() != b.Known():
		if a.Known() {
			return -1
		}
		return 1
	default:
		return a.At.Compare(b.At)
	}
}

// Containers returns the containers of a pod: those of its manifest, or else those of its logs and events.
func Containers(e *evidence.Evidence) []sidecar.Container {
	if e.Pod != nil {
		return sidecar.Containers(e.Pod)
	}
	var names []string
	for _, log := range e.Logs {
		names = append(names, log.Container)
	}
	for _, event := range e.Events {
		if name := eventContainer(event); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return sidecar.Named(slices.Compact(names))
}

func kindOf(containers []sidecar.Container, name string) *sidecar.Kind {
	for _, c := range containers {
		if c.Name == name {
			return c.Kind
		}
	}
	return sidecar.Of(name, "")
}

// Of returns the entries of a container of these kinds.
func (t *Timeline) Of(container string, kinds ...Kind) (found []Entry) {
	for _, entry := range t.Entries {
		if entry.Container == container && slices.Contains(kinds, entry.Kind) {
			found = append(found, entry)
		}
	}
	return found
}

// Log returns what is known of the current log of a container.
func (t *Timeline) Log(container string) (LogStats, bool) { return t.LogOf(container, false) }

// LogOf returns what is known of the log of a container's current run, or of the one before.
func (t *Timeline) LogOf(container string, previous bool) (LogStats, bool) {
	for _, log := range t.Logs {
		if log.Container == container && log.Previous == previous {
			return log, true
		}
	}
	return LogStats{}, false
}

// End returns the time of the last thing that is known.
func (t *Timeline) End() (end time.Time) {
	for _, entry := range t.Entries {
		if entry.At.After(end) {
			end = entry.At
		}
	}
	for _, log := range t.Logs {
		if log.Last.At.After(end) {
			end = log.Last.At
		}
	}
	return end
}
