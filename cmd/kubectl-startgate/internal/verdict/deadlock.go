package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// initDeadlock is an init container that needs the sidecar, which starts after it.
func initDeadlock(c *Case) *Verdict {
	for _, init := range c.Inits {
		s, signs, needs := c.deadlocked(init)
		if s == nil {
			continue
		}
		return &Verdict{
			Name: InitDeadlock, Severity: Problem,
			Summary:  fmt.Sprintf("the init container %s %s %s, which starts only when the init containers are done: neither can go on", init.Name, needs, s.Name),
			Evidence: known(first(c.Timeline.Of(init.Name, timeline.Started)), signs[0], last(signs), first(c.Timeline.Of(s.Name, timeline.WaitingFor))),
			Cures:    c.initCures(init, *s, signs[0].Target),
		}
	}
	return nil
}

// deadlocked returns the sidecar that an init container needs, what shows that, and for what it needs it.
func (c *Case) deadlocked(init sidecar.Container) (needed *Sidecar, signs []Entry, needs string) {
	if !init.Init || init.Status == nil || init.Status.State.Terminated != nil && init.Status.State.Terminated.ExitCode == 0 {
		return nil, nil, ""
	}
	gate := c.gateLines(init, timeline.GateWaiting, timeline.GateStillWaiting, timeline.GateGaveUp)
	refused := append(c.failures(init, timeline.Refused, timeline.Unresolved, timeline.TimedOut), gate...)
	for i, s := range c.Sidecars {
		if s.Native || s.Runs[0].Started.Known() {
			continue
		}
		if lines := about(gate, s.Kind.Name); len(lines) > 0 {
			return &c.Sidecars[i], lines, "waits for"
		}
		if len(refused) > 0 && s.Kind.Mesh && c.isRedirected(init) && !timeline.IsLoopback(refused[0].Target) {
			return &c.Sidecars[i], refused, "needs the network through"
		}
	}
	return nil, nil, ""
}

// about returns startgate's lines about one target.
func about(lines []Entry, target string) (found []Entry) {
	for _, line := range lines {
		if line.Fields["target"] == target {
			found = append(found, line)
		}
	}
	return found
}

// isRedirected reports whether the mesh's rules are in place when the init container runs: an init container before
// it has made them, or a CNI plugin has, and a container only checks that.
func (c *Case) isRedirected(init sidecar.Container) bool {
	for _, other := range c.Inits {
		if isCNI := strings.HasSuffix(other.Name, "-validation") || strings.HasSuffix(other.Name, "-network-validator"); isCNI {
			return true
		}
		isMaker := slices.Contains([]string{"istio-init", "linkerd-init", "kuma-init", "consul-connect-inject-init"}, other.Name)
		if isMaker && other.Place < init.Place {
			return true
		}
	}
	return false
}

// unfinished says what keeps the pod in its init containers.
func (c *Case) unfinished() (missing []string) {
	for _, init := range c.Inits {
		if init.Status == nil || init.Status.State.Terminated != nil {
			continue
		}
		text := "the init container " + init.Name + " has not ended"
		if state := last(c.Timeline.Of(init.Name, timeline.WaitingFor)); state.Text != "" && state.Text != "PodInitializing" {
			text += ": " + state.Text
		} else if ended := last(c.Timeline.Of(init.Name, timeline.Terminated)); ended.Text != "" {
			text += ": it " + strings.TrimSpace(ended.Text+" "+ended.Fields["message"])
		}
		if failed := last(c.failures(init, timeline.Refused, timeline.Reset, timeline.Unresolved, timeline.TimedOut)); failed.Known() {
			text += ", and nothing shows that a sidecar is what it waits for: " + failed.Text
		}
		missing = append(missing, text)
	}
	return missing
}
