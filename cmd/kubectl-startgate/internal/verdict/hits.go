package verdict

import (
	"slices"
	"strings"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// hit is a failed connection of an application, and what its sidecar did then.
type hit struct {
	Entry
	app     sidecar.Container
	sidecar Sidecar
	phase   phase
	run     Run   // of the sidecar: the one that ran then, or came next
	ended   Entry // the end of the sidecar's run before that one
	ready   Entry // the sidecar's first readiness in that run or a later one
	// outside says why the connection did not go through the sidecar.
	outside string
}

// hits returns the failed connections of these kinds, of all applications.
func (c *Case) hits(kinds ...timeline.Kind) (found []hit) {
	for _, app := range c.Apps {
		var before hit
		for _, entry := range c.failures(app, kinds...) {
			h := c.hit(app, entry)
			if h.phase == late && before.phase == starting && before.sidecar.Name == h.sidecar.Name {
				h.phase = starting // the last of the series
			}
			if h.phase == late {
				h.phase = unclear
			}
			found, before = append(found, h), h
		}
	}
	return found
}

// hit says what the sidecar did when a connection failed.
func (c *Case) hit(app sidecar.Container, entry Entry) hit {
	h := hit{Entry: entry, app: app}
	related := c.related(entry.Target)
	if len(related) == 0 && c.Pod == nil {
		return h // nobody knows which sidecars the pod had
	}
	if len(related) == 0 {
		h.outside = "no sidecar of this pod serves " + entry.Target
		return h
	}
	h.sidecar = related[0]
	if h.sidecar.Kind.Mesh {
		h.outside = c.excluded(app, entry.Target)
	}
	var i int
	h.phase, i = h.sidecar.phaseAt(entry)
	h.run, h.ready = h.sidecar.Runs[i], firstReady(h.sidecar.Runs[i:])
	if i > 0 {
		h.ended = h.sidecar.Runs[i-1].Ended
	}
	if h.phase == restarting {
		h.phase = c.phaseAfterRestart(h, i)
	}
	return h
}

// in returns the hits of a phase that went through the sidecar.
func in(hits []hit, phases ...phase) (found []hit) {
	for _, h := range hits {
		if h.outside == "" && slices.Contains(phases, h.phase) {
			found = append(found, h)
		}
	}
	return found
}

// of returns the hits of one sidecar.
func of(hits []hit, s Sidecar) []hit {
	return slices.DeleteFunc(slices.Clone(hits), func(h hit) bool { return h.sidecar.Name != s.Name })
}

// startOf returns the start of the run in which a connection failed.
func (c *Case) startOf(h hit) Entry {
	for _, entry := range c.Timeline.Of(h.app.Name, timeline.Started) {
		if entry.Source == "kubelet" && entry.Previous == h.Previous {
			return entry
		}
	}
	return Entry{}
}

// shown returns some entries of the hits, not too many for a reader.
func shown(hits []hit) (entries []Entry) {
	for i, h := range hits {
		if i < 3 || i == len(hits)-1 {
			entries = append(entries, h.Entry)
		}
	}
	return entries
}

// restartsSince returns how often an application was restarted since the sidecar's run began, or more.
func (c *Case) restartsSince(h hit) int {
	ended := last(c.Timeline.Of(h.app.Name, timeline.Terminated))
	if ended.Previous && ended.Before(h.run.Started) {
		return 0
	}
	return restarts(h.app)
}

// survived reports whether an application tried again by itself until the sidecar was ready: it says so or asks for
// the same address more than once in one run, was not restarted meanwhile, and the pod is ready, or is deleted, where
// its sidecar may be gone already. Of a pod that is gone, only what it says counts.
func (c *Case) survived(hits []hit) bool {
	if c.Pod != nil && !c.isReady() && !c.isGoing() {
		return false
	}
	tries, says := map[string]int{}, false
	for _, h := range hits {
		if c.restartsSince(h) > 0 || h.Previous {
			return false
		}
		says = says || saysRetry(h.Text)
		if c.Pod != nil {
			tries[h.app.Name+" "+h.Target]++
		}
	}
	if c.Pod == nil {
		return says
	}
	for _, n := range tries {
		if n < 2 && !says {
			return false
		}
	}
	return true
}

// saysRetry reports whether a line tells that the program will try again.
func saysRetry(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc([]string{"retry", "retries", "attempt", "reconnect", "try again", "trying again", "backoff", "back off", "next try"},
		func(word string) bool { return strings.Contains(text, word) })
}
