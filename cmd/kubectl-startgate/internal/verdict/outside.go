package verdict

import (
	"fmt"
	"slices"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// outsideMesh is a pod in which there is nothing to wait for.
func outsideMesh(c *Case) *Verdict {
	name, what := c.outside()
	if name == "" {
		return nil
	}
	v := &Verdict{Name: name, Summary: what + ": there is no sidecar for which a gate could wait"}
	if name == ProxyUser {
		v.Summary = fmt.Sprintf("%s, so its traffic does not go through the sidecar, ready or not", what)
	}
	for _, app := range append(slices.Clone(c.Inits), c.Apps...) {
		if refused := c.failures(app, timeline.Refused); len(refused) > 0 {
			v.Severity = Problem
			v.Evidence = append(v.Evidence, refused[0], last(refused))
			if target := refused[0].Target; timeline.IsLoopback(target) && len(c.Apps) > 1 && len(v.Cures) == 0 {
				v.Summary = fmt.Sprintf("%s; %s was refused %s at %s, which is in the pod itself", what, app.Name, times(len(refused)), target)
				v.Cures = []cure.Cure{cure.Startgate(c.workload(), app.Name, c.appSpec(app), cure.Gate{WaitFor: "tcp://" + target})}
				v.Doubts = []string{"nothing shows which container listens there, nor since when"}
				continue
			}
			v.Summary += fmt.Sprintf("; %s was refused %s by the server itself", app.Name, times(len(refused)))
		}
	}
	if v.Severity == Problem && len(v.Cures) == 0 {
		v.Cures = []cure.Cure{cure.Note("ask the server itself", "See whether it runs and listens, and whether the address and the port are right.")}
	}
	if name == ProxyUser {
		v.Cures = []cure.Cure{cure.Note("set another runAsUser", "Istio's redirect leaves uid 1337 alone, because it is the proxy's.")}
	}
	return v
}

// outside says why a pod has no sidecar, or its application nothing of it.
func (c *Case) outside() (name Name, what string) {
	if c.Pod == nil {
		return "", ""
	}
	hasMesh := false
	for _, s := range c.Sidecars {
		hasMesh = hasMesh || s.Kind.Mesh
	}
	switch {
	case hasMesh && len(c.Apps) == 1 && c.uid(c.Apps[0]) == proxyUID:
		return ProxyUser, c.Apps[0].Name + " runs as uid 1337, the proxy's own"
	case len(c.Sidecars) > 0:
		return "", ""
	case c.Pod.Spec.HostNetwork:
		return HostNetwork, "the pod is on the host's network, and meshes do not inject such pods"
	case c.annotation("ambient.istio.io/redirection") == "enabled", c.Pod.Labels["istio.io/dataplane-mode"] == "ambient":
		return Ambient, "the pod is in ambient mode"
	}
	return NotInjected, "the pod is not injected"
}
