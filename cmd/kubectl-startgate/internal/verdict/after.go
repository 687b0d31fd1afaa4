package verdict

import (
	"fmt"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// refusedAfter is refused while the sidecar was ready. A live redirect never refuses: behind it, a server that is
// down gives a reset, an end or a 503.
func refusedAfter(c *Case) *Verdict {
	if name, _ := c.outside(); name != "" {
		return nil // outsideMesh tells of it
	}
	hits := c.hits(timeline.Refused)
	late := in(hits, up)
	if len(late) == 0 {
		late = c.pastProxy(hits)
	}
	if len(late) == 0 {
		return nil
	}
	h := late[0]
	ready := h.sidecar.readyAt(h.Entry)
	v := &Verdict{Name: RefusedAfter, Severity: Problem, Evidence: shown(late)}
	switch {
	case h.outside != "":
		v.Summary = fmt.Sprintf("%s was refused %s, and not by the sidecar: %s", h.app.Name, times(len(late)), h.outside)
		v.Cures = []cure.Cure{cure.Note("ask the server itself", "Nothing listens at "+orThere(h.Target)+". See whether it runs, and whether the port is right. A gate for the sidecar does not help.")}
	case !h.sidecar.Kind.Mesh:
		v.Summary = fmt.Sprintf("%s was refused %s by %s while that was ready", h.app.Name, times(len(late)), h.sidecar.Name)
		v.Cures = []cure.Cure{cure.Note("see the sidecar's own settings", "See at which port or socket "+h.sidecar.Name+" listens, and its log at "+clockOf(h.Entry)+".")}
	default:
		v.Summary = fmt.Sprintf("%s was refused %s while %s was ready, first %s after it", h.app.Name, times(len(late)), h.sidecar.Name, span(h.At.Sub(ready.At)))
		v.Doubts = []string{"a live redirect does not refuse, so this connection was not redirected: nothing here shows why (rules of the mesh itself, another network namespace, a proxy that died for a moment)"}
		v.Cures = []cure.Cure{cure.Note("see what is redirected", "Compare the address with the mesh's global excludeIPRanges and ports, and the proxy's log at "+clockOf(h.Entry)+".")}
	}
	v.Evidence = append(known(ready), v.Evidence...)
	return v
}

func orThere(target string) string {
	if target == "" {
		return "that address"
	}
	return target
}

// pastProxy returns the refused connections that did not go through a sidecar. Those that an application got over
// before the pod was ready are left out: they are of a start, as when a program asks its neighbour until it listens.
func (c *Case) pastProxy(hits []hit) (found []hit) {
	ready := first(c.Timeline.Of("", timeline.PodReady))
	var early []hit
	for _, h := range hits {
		switch {
		case h.outside == "":
		case h.Before(ready):
			early = append(early, h)
		default:
			found = append(found, h)
		}
	}
	if len(early) > 0 && !c.survived(early) {
		return append(early, found...)
	}
	return found
}

// proxyRestarted is a sidecar that ended and came back while the application needed it.
func proxyRestarted(c *Case) *Verdict {
	if holdRanOut(c) != nil {
		return nil // the kubelet killed it for its hook
	}
	hits := in(c.hits(timeline.Refused, timeline.Reset), restarting)
	if len(hits) == 0 {
		return nil
	}
	h := hits[0]
	if !firstReady(h.sidecar.Runs).Known() && restarts(h.sidecar.Container) > 0 && !h.sidecar.Status.Ready {
		return nil // it has never come up
	}
	v := &Verdict{
		Name: ProxyRestarted, Severity: Problem,
		Summary:  fmt.Sprintf("%s was restarted %s, and %s was refused %s until it was ready again", h.sidecar.Name, times(max(restarts(h.sidecar.Container), 1)), h.app.Name, times(len(hits))),
		Evidence: append(known(h.ended, h.run.Started), shown(hits)...),
		Cures: []cure.Cure{c.findOut(h.sidecar, h.ended,
			" A gate orders starts; this one needs an application that tries again, or a proxy that stays up.")},
	}
	v.Evidence = append(v.Evidence, known(h.run.Ready)...)
	return v
}

func orEnded(ended Entry) string {
	if ended.Text == "" {
		return "ended"
	}
	return ended.Text
}

// shutdownRace is a sidecar that ended before the application did.
func shutdownRace(c *Case) *Verdict {
	hits := in(c.hits(timeline.Refused, timeline.Reset), gone)
	if len(hits) == 0 {
		return nil
	}
	h := hits[0]
	ended := h.sidecar.end()
	v := &Verdict{
		Name: ShutdownRace, Severity: Problem,
		Summary: fmt.Sprintf("%s shut down before %s did: from %s on, %s after it, %s failed %s",
			h.sidecar.Name, h.app.Name, clockOf(h.Entry), span(h.At.Sub(ended.At)), h.app.Name, times(len(hits))),
		Evidence: append(known(c.deleted(), ended), shown(hits)...),
		Cures:    c.shutdownCures(h.app, h.sidecar),
	}
	if ended.Source != "log" && ended.Kind != timeline.Terminated {
		v.Doubts = []string{"nothing says when " + h.sidecar.Name + " ended, only when it was told to"}
	}
	return v
}

// end returns the sidecar's end, or the beginning of it.
func (s Sidecar) end() Entry {
	if ended := s.Current().Ended; ended.Known() {
		return ended
	}
	return s.Current().Ending
}

func (c *Case) deleted() Entry { return first(c.Timeline.Of("", timeline.Deleted)) }

// dnsBeforeProxy is names that do not resolve, or connections without an answer, before the sidecar was ready.
func dnsBeforeProxy(c *Case) *Verdict {
	all := c.hits(timeline.Unresolved, timeline.TimedOut)
	apps := c.hurt(in(all, starting))
	if len(apps) == 0 || len(in(all, up)) > 0 || !apps[0][0].ready.Known() {
		return nil
	}
	early := apps[0]
	h, run := early[0], early[0].run
	what := "a name did not resolve"
	if h.Kind == timeline.TimedOut {
		what = "a connection got no answer"
	}
	return &Verdict{
		Name: DNSBeforeProxy, Severity: Problem,
		Summary:  fmt.Sprintf("%s failed %s before %s was ready, and not after it: %s", h.app.Name, times(len(early)), h.sidecar.Name, what),
		Evidence: append(append(known(run.Started), shown(early)...), known(run.NotReady, run.Ready)...),
		Doubts:   []string{"names also fail for other reasons at a start, such as a name server that is slow"},
		Cures:    c.orderCures(h.app, h.sidecar),
	}
}
