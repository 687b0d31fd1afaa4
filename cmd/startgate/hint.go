package main

import (
	"context"
	"strings"

	"github.com/startgate/startgate/wait"
)

// hint says what may be the cause of the last answer and what to do, by pattern;
// nothing when there is no more to say. It may take half a second.
func (g *gate) hint(ctx context.Context, target wait.Target, last wait.Answer) string {
	if target.Sidecar == nil {
		return ""
	}
	switch {
	case last.Outcome == wait.Refused && target.Sidecar.Mesh:
		return refusedHint(wait.Redirected(ctx), target)
	case strings.Contains(last.Detail, "config not received"):
		return "The proxy cannot reach its control plane (istiod): see kubectl logs POD -c istio-proxy, and istiod itself"
	}
	return upper(target.Sidecar.Note)
}

// refusedHint is for a mesh's sidecar on whose port nobody listens.
func refusedHint(redirected bool, target wait.Target) string {
	if redirected {
		return "Outbound traffic is redirected to a proxy that does not listen: its container is not started " +
			"(image still being pulled, crashing), or this is an init container in front of a classic sidecar, " +
			"where the wait cannot end: see kubectl describe pod"
	}
	return "Nothing listens and nothing is redirected: the pod is probably not injected (or in ambient mode, or on the " +
		"host's network). Set " + sidecarStatus + " as the README says, or " + prefix + "_WAIT_FOR=none. Or " + target.Sidecar.Note
}

func upper(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
