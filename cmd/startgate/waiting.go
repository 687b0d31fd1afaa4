package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/startgate/startgate/wait"
)

// waited is what the waiting took.
type waited struct {
	began  time.Time
	probes wait.Counts
}

// attrs returns the time and the probes of each kind for the log.
func (w *waited) attrs() []any {
	attrs := []any{"waited", time.Since(w.began).Round(time.Millisecond)}
	for outcome, n := range w.probes {
		if n > 0 {
			attrs = append(attrs, wait.Outcome(outcome).String(), n)
		}
	}
	return attrs
}

// waitForOne waits for one target and tells the log how that goes.
func (g *gate) waitForOne(ctx context.Context, target wait.Target, result *waited) error {
	p := &progress{gate: g, target: target, began: time.Now()}
	g.log.Info("waiting for "+target.Name, "timeout", time.Duration(g.config.Timeout))
	reporting, stop := context.WithCancel(ctx)
	var reporter sync.WaitGroup
	reporter.Go(func() { p.report(reporting) })
	defer reporter.Wait()
	defer stop()
	return wait.For(ctx, target, wait.Policy{
		Max:         time.Duration(g.config.BackoffMax),
		Attempt:     time.Duration(g.config.AttemptTimeout),
		AbsentAfter: time.Duration(g.config.AbsentAfter),
		Observe: func(e wait.Event) {
			result.probes[e.Answer.Outcome]++
			p.observe(e)
		},
	})
}

// progress tells the log how the wait for one target goes.
type progress struct {
	*gate
	target wait.Target
	began  time.Time

	mu   sync.Mutex
	last wait.Answer
}

// observe logs a change of the answer's kind, and every probe at debug.
func (p *progress) observe(e wait.Event) {
	p.mu.Lock()
	p.last = e.Answer
	p.mu.Unlock()
	switch {
	case e.Answer.Outcome == wait.Ready:
		p.log.Info(p.target.Name+" is ready", "after", e.Waited.Round(time.Millisecond))
	case e.Changed:
		p.log.Info(p.target.Name+" is not ready yet: "+e.Answer.Detail, "after", e.Waited.Round(time.Millisecond))
	}
	p.log.Debug("probe", "target", p.target.Name, "outcome", e.Answer.Outcome.String(), "answer", e.Answer.Detail,
		"took", e.Took, "knocked", e.Knocked)
}

// milestones are when the log says that the wait goes on; after the last one,
// it is repeated.
var milestones = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
}

// hintAfter is from when on the log says what may be wrong.
const hintAfter = 10 * time.Second

// report logs at each milestone until ctx ends.
func (p *progress) report(ctx context.Context) {
	for i := 0; ; i++ {
		last := len(milestones) - 1
		at := milestones[min(i, last)] + time.Duration(max(i-last, 0))*milestones[last]
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(p.began.Add(at))):
		}
		p.mu.Lock()
		answer := p.last
		p.mu.Unlock()
		var attrs []any
		if at >= hintAfter {
			if hint := hint(ctx, p.target, answer); hint != "" {
				attrs = append(attrs, "hint", hint)
			}
		}
		p.log.Info(fmt.Sprintf("still waiting for %s after %v: %s", p.target.Name, at, answer.Detail), attrs...)
	}
}

// gaveUp decides what follows from a wait that ended without a ready answer: nil
// to go on, or the error to end with.
func (g *gate) gaveUp(ctx context.Context, err error, target wait.Target, program string) error {
	var timeout *wait.TimeoutError
	switch {
	case errors.Is(err, wait.ErrAbsent):
		g.log.Info(target.Name+" is absent: nothing has listened on its ports", "after", time.Duration(g.config.AbsentAfter))
		return nil
	case !errors.As(err, &timeout):
		return fmt.Errorf("the wait for %s was %w", target.Name, err)
	}
	message := err
	if hint := hint(ctx, target, timeout.Last); hint != "" {
		message = fmt.Errorf("%w. %s", err, hint)
	}
	if g.config.OnTimeout == "start" {
		g.log.Warn(message.Error() + "; starting all the same (" + prefix + "_ON_TIMEOUT=start)")
		return nil
	}
	if program == "" {
		return message
	}
	return fmt.Errorf("cannot start %s: %w", program, message)
}
