package main

import (
	"context"

	"github.com/startgate/startgate/wait"
)

// hint says what may be the cause of the last answer and what to do, by pattern;
// nothing when there is no more to say. It may take half a second.
func (g *gate) hint(ctx context.Context, target wait.Target, last wait.Answer) string {
	switch {
	case target.Sidecar == nil:
		return ""
	case last.Outcome == wait.Refused && target.Sidecar.Mesh:
		return absentHint(wait.Redirected(ctx), g.config.SidecarStatus == nil) + ". " + target.Sidecar.Refused
	case last.Outcome == wait.Refused:
		return target.Sidecar.Refused
	case last.Outcome == wait.NotReady:
		return target.Sidecar.NotReady
	}
	return ""
}

// absentHint is for a mesh's sidecar on whose port nobody listens.
func absentHint(redirected, unset bool) string {
	if redirected {
		return "Outbound traffic is redirected to a proxy that does not listen: its container is not started " +
			"(image still being pulled, crashing), or this is an init container in front of a classic sidecar, " +
			"where the wait cannot end: see kubectl describe pod"
	}
	cure := "Set " + prefix + "_WAIT_FOR=none where it never is"
	if unset {
		cure = "Set " + sidecarStatus + " as the README says, or " + prefix + "_WAIT_FOR=none"
	}
	return "Nothing is redirected: the pod is probably not injected (or in ambient mode, or on the host's network). " + cure
}
