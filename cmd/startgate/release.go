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

// logReleased says which targets are not waited for any more: this one, and those after it.
func (p *progress) logReleased(targets []wait.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Warn("not waiting any longer for "+strings.Join(namesOf(targets), ", ")+": "+errReleased.Error(),
		"event", "released", "target", p.target.Name, "answer", p.last.Detail, "elapsed", time.Since(p.began).Round(time.Millisecond))
}
