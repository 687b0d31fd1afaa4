package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/startgate/startgate/wait"
)

// watchGone is how long a sidecar that accepted its quit is watched.
const watchGone = time.Second

// quit tells the sidecars to quit; end is how the application, or the way to it,
// ended. A signal ends it.
func (g *gate) quit(end error) {
	if len(g.pod.quits) == 0 {
		return
	}
	names := quits(g.pod.quits).String()
	if end != nil && g.config.QuitOn == "success" {
		g.log.Info("not telling "+names+" to quit: "+prefix+"_QUIT_ON=success, and the application did not succeed", "code", codeOf(end))
		return
	}
	if err := g.signals.Do(context.Background(), g.quitAll); err != nil {
		g.log.Warn("telling " + names + " to quit was " + err.Error())
	}
}

// quitAll tells all to quit: first those that are not the mesh, which they may need
// to finish, and the mesh when they are gone or half of the time has passed.
func (g *gate) quitAll(ctx context.Context) error {
	limit := time.Duration(g.config.QuitTimeout)
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	half, enough := context.WithTimeout(ctx, limit/2)
	defer enough()
	if !slices.ContainsFunc(g.pod.quits, isMesh) {
		enough() // nobody is to be told after the others
	}
	var others, mesh sync.WaitGroup
	for _, target := range g.pod.quits {
		if !isMesh(target) {
			others.Go(func() {
				if g.quitOne(ctx, timed, target) == wait.QuitAccepted {
					wait.AwaitGone(half, target) // it may need the mesh to drain
				}
			})
		}
	}
	gone := make(chan struct{})
	go func() {
		others.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-half.Done():
	}
	for _, target := range g.pod.quits {
		if isMesh(target) {
			mesh.Go(func() { g.quitOne(ctx, timed, target) })
		}
	}
	mesh.Wait()
	<-gone
	return context.Cause(ctx)
}

func isMesh(target wait.Target) bool { return target.Sidecar != nil && target.Sidecar.Mesh }

// quitOne tells one to quit, under timed, and watches whether it goes, under ctx. It
// returns what came of telling it.
func (g *gate) quitOne(ctx, timed context.Context, target wait.Target) wait.QuitOutcome {
	began := time.Now()
	outcome, answer := wait.Quit(timed, target, g.pod.seen[target.Name])
	g.metrics.quit(target, outcome, time.Since(began))
	switch outcome {
	case wait.QuitAccepted:
		g.watch(ctx, target, began)
	case wait.QuitGone:
		g.log.Info(target.Name + " is gone already")
	case wait.QuitRejected:
		g.log.Warn(fmt.Sprintf("%s did not accept the quit: %s%s", target.Name, answer.Detail, unquit(target)))
	case wait.QuitUnanswered:
		g.log.Warn(fmt.Sprintf("%s did not answer the quit in %v: %s", target.Name, time.Since(began).Round(time.Millisecond), answer.Detail))
	case wait.QuitNeverSeen:
		g.log.Warn(fmt.Sprintf("%s was never seen, and may still start and keep the pod: %s%s", target.Name, answer.Detail, unquit(target)))
	}
	return outcome
}

// watch tells whether a sidecar that accepted the quit is gone soon.
func (g *gate) watch(ctx context.Context, target wait.Target, began time.Time) {
	watching, cancel := context.WithTimeout(ctx, watchGone)
	defer cancel()
	if wait.AwaitGone(watching, target) {
		g.log.Info(target.Name+" is gone", "after", time.Since(began).Round(time.Millisecond))
		return
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		g.log.Info(target.Name + " accepted the quit and is still draining")
	}
}

// unquit is a sentence on why a sidecar may not have accepted its quit, if there is
// one.
func unquit(target wait.Target) string {
	if target.Sidecar == nil {
		return ""
	}
	return ". " + target.Sidecar.QuitHint
}
