package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/startgate/startgate/exec"
	"github.com/startgate/startgate/wait"
)

// planShutdown plans the shutdown of the sidecars for a container that starts nothing, because
// its settings or its command line are wrong. With a mistake in the settings that decide about
// it, none is shut down.
func (g *gate) planShutdown(wrong error) {
	var mistakes settingsError
	errors.As(wrong, &mistakes)
	for _, name := range []string{envQuit, envQuitOn, envSidecarStatus} {
		if slices.Contains(mistakes.names, name) {
			return
		}
	}
	g.plan = makePlan(g.settings, true)
	if g.signals.Do(context.Background(), g.look) != nil {
		g.plan = plan{} // a signal stops it
	}
}

// isNotStarted reports whether startgate exits with this code because the program cannot be
// started, whatever the sidecar does.
func isNotStarted(code int) bool {
	return code == codeFailed || code == exec.CodeCannotRun || code == exec.CodeNotFound
}

// lateLimit is how long awaitLate waits where STARTGATE_TIMEOUT has no limit.
const lateLimit = 5 * time.Minute

// awaitLate waits until the sidecar starts that the pod is known to have: the kubelet creates the
// application's container before it has pulled the sidecar's image, and a sidecar that starts
// when nobody is left to shut it down keeps a Job's pod.
func (g *gate) awaitLate(ctx context.Context, targets []wait.Target) {
	i := slices.IndexFunc(targets, func(target wait.Target) bool {
		return g.plan.injection == injected && isSidecar(target, g.plan.subject) && !g.answered[target.Name]
	})
	patience, quitTimeout := g.latePatience(), time.Duration(g.settings.QuitTimeout)
	if i < 0 || patience <= quitTimeout || targets[i].Listens(ctx) {
		return
	}
	g.log.info(eventQuitWaiting, fmt.Sprintf("waiting for %s to start, to shut it down, for up to %v",
		targets[i].Name, duration(patience.Round(latePause))), "target", targets[i].Name)
	ctx, cancel := context.WithTimeout(ctx, patience-quitTimeout)
	defer cancel()
	for ctx.Err() == nil && !targets[i].Listens(ctx) {
		select {
		case <-time.After(latePause):
		case <-ctx.Done():
		}
	}
}

// latePause is the pause between two looks for a sidecar that has not started.
const latePause = 100 * time.Millisecond

// latePatience returns how long a sidecar may take to start and to answer the shutdown
// request: what is left of STARTGATE_TIMEOUT.
func (g *gate) latePatience() time.Duration {
	limit := time.Duration(g.settings.Timeout)
	switch {
	case limit == 0:
		return lateLimit
	case g.began.IsZero():
		return limit
	}
	return limit - time.Since(g.began)
}
