package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/startgate/startgate/exec"
	"github.com/startgate/startgate/wait"
)

// quit asks the sidecars to shut down; code is that of the application, or of the failure to
// start it. A signal stops the asking, if it is one that a user stops programs with: others,
// such as USR1, were for the application. Orphans that the application has left are reaped
// meanwhile.
func (g *gate) quit(code int, failure error) {
	targets := g.current().quits
	if g.checks || len(targets) == 0 {
		return
	}
	names := quits(targets).String()
	if code != 0 && g.settings.QuitOn == "success" {
		g.log.info(eventQuitSkipped, "not shutting down "+names+": "+envQuitOn+"=success, and the application failed",
			"target", names, "code", code)
		return
	}
	var signal *exec.SignalError
	defer exec.Reap()()
	g.signals.EndBy(stopSignals...)
	err := g.signals.Do(context.Background(), func(ctx context.Context) error {
		if failure != nil && isNotStarted(code) {
			g.awaitLate(ctx, targets)
		}
		return g.quitAll(ctx, targets)
	})
	if errors.As(err, &signal) {
		name := exec.SignalName(signal.Signal)
		g.log.warn(eventQuitStopped, "stopped asking "+names+" to shut down: "+name, "target", names, "signal", name)
	}
}

// quitAll asks all targets to shut down: first those that are not the mesh, which they
// may need to finish, and the mesh when they are gone or half of the time has passed.
func (g *gate) quitAll(ctx context.Context, targets []wait.Target) error {
	limit := time.Duration(g.settings.QuitTimeout)
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	half, stop := context.WithTimeout(ctx, limit/2)
	defer stop()
	others, mesh := splitMesh(targets)
	gone := inParallel(others, func(target wait.Target) {
		if g.quitOne(ctx, timed, target) == wait.QuitAccepted && len(mesh) > 0 {
			wait.AwaitGone(half, target)
		}
	})
	select {
	case <-gone:
	case <-half.Done():
	}
	<-inParallel(mesh, func(target wait.Target) { g.quitOne(ctx, timed, target) })
	<-gone
	return context.Cause(ctx)
}

// splitMesh separates the sidecars that carry the pod's traffic from the others.
func splitMesh(targets []wait.Target) (others, mesh []wait.Target) {
	for _, target := range targets {
		if target.Sidecar != nil && target.Sidecar.Mesh {
			mesh = append(mesh, target)
		} else {
			others = append(others, target)
		}
	}
	return others, mesh
}

// inParallel calls f with each target, all at once. The channel is closed when all
// calls have returned.
func inParallel(targets []wait.Target, f func(wait.Target)) <-chan struct{} {
	var calls sync.WaitGroup
	for _, target := range targets {
		calls.Go(func() { f(target) })
	}
	done := make(chan struct{})
	go func() {
		calls.Wait()
		close(done)
	}()
	return done
}

// quitOne asks one target to shut down, under timed, and watches whether it goes, under
// ctx.
func (g *gate) quitOne(ctx, timed context.Context, target wait.Target) wait.QuitOutcome {
	began := time.Now()
	outcome, answer := wait.Quit(timed, target, g.answered[target.Name])
	took := time.Since(began)
	g.metrics.quit(target, outcome, took)
	took = took.Round(time.Millisecond)
	attrs := []any{"target", target.Name, "answer", answer.Detail, "elapsed", took}
	if isAnswer := answer.Outcome == wait.Ready || answer.Outcome == wait.NotReady; !isAnswer && ctx.Err() != nil {
		return outcome // a signal stopped the asking, which has a line of its own
	}
	switch outcome {
	case wait.QuitAccepted:
		g.watchGone(ctx, target, began)
	case wait.QuitGone:
		g.log.info(eventQuitGone, target.Name+" is gone already", attrs...)
	case wait.QuitRejected:
		g.log.warn(eventQuitRejected, fmt.Sprintf("%s did not accept the shutdown request: %s", target.Name, answer.Detail),
			append(attrs, hintQuit(target).attrs()...)...)
	case wait.QuitUnanswered:
		g.log.warn(eventQuitUnanswered, fmt.Sprintf("%s did not answer the shutdown request in %v: %s", target.Name, took, answer.Detail),
			append(attrs, hint{anchor: anchorQuit}.attrs()...)...)
	case wait.QuitNeverSeen:
		g.log.warn(eventQuitNeverSeen, fmt.Sprintf("%s never answered; if it starts later, the pod will not complete: %s", target.Name, answer.Detail),
			append(attrs, hintQuit(target).attrs()...)...)
	}
	return outcome
}

// watchFor is how long a sidecar that accepted its shutdown is watched.
const watchFor = time.Second

// watchGone logs whether a sidecar that accepted its shutdown is gone soon.
func (g *gate) watchGone(ctx context.Context, target wait.Target, began time.Time) {
	watching, cancel := context.WithTimeout(ctx, watchFor)
	defer cancel()
	isGone := wait.AwaitGone(watching, target)
	attrs := []any{"target", target.Name, "elapsed", time.Since(began).Round(time.Millisecond)}
	switch {
	case isGone:
		g.log.info(eventQuitAccepted, target.Name+" is gone", attrs...)
	case !errors.Is(ctx.Err(), context.Canceled):
		g.log.info(eventQuitAccepted, target.Name+" accepted the shutdown request and is still draining", attrs...)
	}
}

// hintQuit says why a sidecar may not have accepted its shutdown. A URL has no text.
func hintQuit(target wait.Target) hint {
	if target.Sidecar == nil {
		return hint{anchor: anchorQuit}
	}
	return hint{target.Sidecar.QuitHint, anchorQuit}
}
