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
		if init.Status == nil || init.Status.State.Terminated != nil && init.Status.State.Terminated.ExitCode == 0 {
			continue
		}
		refused := c.failures(init, timeline.Refused, timeline.Unresolved, timeline.TimedOut)
		refused = append(refused, c.gateLines(init, timeline.GateWaiting, timeline.GateStillWaiting, timeline.GateGaveUp)...)
		for _, s := range c.Sidecars {
			if len(refused) == 0 || s.Native || !s.Kind.Mesh || s.Runs[0].Started.Known() || !c.isRedirected(init) {
				continue
			}
			if timeline.IsLoopback(refused[0].Target) {
				continue
			}
			return &Verdict{
				Name: InitDeadlock, Severity: Problem,
				Summary:  fmt.Sprintf("the init container %s needs the network through %s, which starts only when the init containers are done: neither can go on", init.Name, s.Name),
				Evidence: known(first(c.Timeline.Of(init.Name, timeline.Started)), refused[0], last(refused), first(c.Timeline.Of(s.Name, timeline.WaitingFor))),
				Cures:    c.initCures(init, s, refused[0].Target),
			}
		}
	}
	return nil
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
