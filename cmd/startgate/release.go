package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/startgate/startgate/wait"
)

// errReleased is why a wait ends that startgate --release has ended.
var errReleased = errors.New("released by startgate --release")

// releaseAfter is how old a wait is before it can be released: a short one pays nothing
// for that.
const releaseAfter = time.Second

// waitUntilReleased waits for all targets, or until startgate --release ends that.
func (g *gate) waitUntilReleased(ctx context.Context) error {
	ctx, stop := g.releasable(ctx)
	defer stop()
	if err := g.waitForAll(ctx); !errors.Is(err, errReleased) {
		return err
	}
	return nil
}

// releaseOthers ends the waits of this container. If it cannot, it returns the exit code: the
// error is no reason for the end of the container, whose termination message it would be.
func (g *gate) releaseOthers() (code int) {
	err := g.signals.Do(context.Background(), func(ctx context.Context) error { return release(ctx, g.stdout) })
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		g.log.error(exitEvent(err), strings.TrimSpace(line), append([]any{"code", exitCode(err)}, hintOf(err).attrs()...)...)
	}
	return exitCode(err)
}

// logReleased says which targets are not waited for any more: this one, and those after it.
func (p *progress) logReleased(targets []wait.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.warn(eventReleased, "not waiting any longer for "+strings.Join(namesOf(targets), ", ")+": "+errReleased.Error(),
		"target", p.target.Name, "answer", p.last.Detail, "elapsed", time.Since(p.began).Round(time.Millisecond))
}
