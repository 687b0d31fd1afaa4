package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// startupRace is refused before the sidecar's readiness, and not after it.
func startupRace(c *Case) *Verdict {
	if nativeWithoutProbe(c) != nil || holdRanOut(c) != nil {
		return nil // they tell of it, and why
	}
	hits := c.hits(timeline.Refused)
	apps := c.hurt(in(hits, starting))
	if len(apps) == 0 {
		return nil
	}
	early := apps[0]
	s := early[0].sidecar
	early = of(early, s)
	run := early[0].run
	if !early[0].ready.Known() || refusedLater(of(hits, s), run) {
		return nil
	}
	v := &Verdict{Name: StartupRace, Severity: Problem, Summary: raceSummary(early, run)}
	for _, other := range apps[1:] {
		v.Summary += fmt.Sprintf("; %s was refused %s too", other[0].app.Name, times(len(other)))
	}
	v.Evidence = append(known(early[0].ended, c.startOf(early[0]), run.Started), shown(early)...)
	for _, other := range apps[1:] {
		v.Evidence = append(v.Evidence, shown(other)...)
	}
	v.Evidence = append(v.Evidence, known(run.NotReady, run.Ready)...)
	v.Doubts = raceDoubts(c, early, run)
	v.Cures = c.raceCures(early[0])
	for _, other := range apps[1:] {
		v.Cures = append(v.Cures, c.startgate(other[0].app, s)...)
	}
	return v
}

// hurt returns the hits of each application that did not get over them, those with most restarts first.
func (c *Case) hurt(hits []hit) (apps [][]hit) {
	for _, app := range c.Apps {
		own := slices.DeleteFunc(slices.Clone(hits), func(h hit) bool { return h.app.Name != app.Name })
		if len(own) > 0 && !c.survived(own) {
			apps = append(apps, own)
		}
	}
	slices.SortStableFunc(apps, func(a, b []hit) int { return restarts(b[0].app) - restarts(a[0].app) })
	return apps
}

// refusedLater reports whether a connection was refused after the readiness of that run, and not because it ended.
func refusedLater(hits []hit, run Run) bool {
	return slices.ContainsFunc(in(hits, up, unclear), func(h hit) bool { return run.Ready.Before(h.Entry) })
}

// firstReady returns the first readiness in these runs of a sidecar that is known.
func firstReady(runs []Run) Entry {
	for _, run := range runs {
		if run.Ready.Known() {
			return run.Ready
		}
	}
	return Entry{}
}

func raceSummary(early []hit, run Run) string {
	app := early[0].app.Name
	text := fmt.Sprintf("%s was refused %s before %s was ready", app, times(len(early)), early[0].sidecar.Name)
	if until := run.Ready; until.Known() {
		text += fmt.Sprintf(": first at %s, %s too early", clockOf(early[0].Entry), span(until.At.Sub(early[0].At)))
	}
	if n := restarts(early[0].app); n > 0 {
		text += fmt.Sprintf("; it was restarted %s", times(n))
	}
	return text
}

func raceDoubts(c *Case, early []hit, run Run) (doubts []string) {
	if run.Inferred {
		doubts = append(doubts, "nothing says that "+early[0].sidecar.Name+" became ready; its probes stopped failing")
	}
	if c.Pod == nil {
		doubts = append(doubts, "the pod's manifest is not there: it may exclude the address from the redirect, or run the application as the proxy's user")
	}
	if early[0].Target == "" {
		doubts = append(doubts, "the refused line names no address, so it may be about another connection")
	}
	if log, ok := c.Timeline.Log(early[0].app.Name); !ok || !run.Ready.Before(log.Last) {
		doubts = append(doubts, "the log of "+early[0].app.Name+" does not go on after the sidecar was ready, so it does not show that connections work then")
	}
	if run.NotReady.Known() && !early[0].Before(run.NotReady) && strings.Contains(run.Ready.Text, "Envoy proxy is ready") {
		doubts = append(doubts, "the sidecar's last sign that it was not ready came before the refused line")
	}
	return doubts
}
