package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/startgate/startgate/wait"
)

// waitStats are what the waiting took, for each target in its order.
type waitStats []targetStats

// targetStats are what the waiting for one target took.
type targetStats struct {
	name   string
	took   time.Duration
	probes wait.Counts
}

// attrs returns the time and the probes of each kind for the log: of all targets
// together, and of each when there are several.
func (w waitStats) attrs() []any {
	var sum targetStats
	var each []any
	for _, target := range w {
		sum.took += target.took
		for outcome, n := range target.probes {
			sum.probes[outcome] += n
		}
		each = append(each, slog.Group(target.name, target.attrs()...))
	}
	if len(w) < 2 {
		return sum.attrs()
	}
	return append(sum.attrs(), slog.Group("targets", each...))
}

func (t targetStats) attrs() []any {
	attrs := []any{"elapsed", t.took.Round(time.Millisecond)}
	for outcome, n := range t.probes {
		if n > 0 {
			attrs = append(attrs, countKey(wait.Outcome(outcome)), n)
		}
	}
	return attrs
}

// countKey returns the log's key for the number of probes with this outcome. The key timeout is
// the setting's.
func countKey(o wait.Outcome) string {
	if o == wait.Timeout {
		return "timed_out"
	}
	return o.String()
}

// waitForAll waits for one target after the other.
func (g *gate) waitForAll(ctx context.Context) error {
	timed, cancel := g.timed(ctx)
	defer cancel()
	g.began, g.answered = time.Now(), map[string]bool{}
	targets := g.current().targets
	for i, target := range targets {
		p := &progress{gate: g, target: target, began: time.Now()}
		g.metrics.waitingFor(target)
		err := p.wait(timed)
		took := time.Since(p.began)
		g.answered[target.Name] = g.answered[target.Name] || p.answered
		g.metrics.waitedFor(target, took)
		g.waited = append(g.waited, targetStats{target.Name, took, p.probes})
		var timeout *wait.TimeoutError
		switch {
		case err == nil:
		case errors.Is(err, errReleased):
			p.logReleased(targets[i:])
			return err
		case errors.As(err, &timeout) && g.isSubject(target) && g.seen == redirected:
			g.seen = givenUp // a guess is no reason not to start
			p.logSkipped()
		case g.isSkipped(target):
			p.logSkipped()
		case errors.Is(err, wait.ErrAbsent):
			g.log.info(eventSkipped, target.Name+" is absent: nothing has listened on its ports",
				"target", target.Name, "elapsed", took.Round(time.Millisecond))
		case errors.As(err, &timeout):
			return p.onTimeout(timeout)
		default:
			return p.onSignal(err)
		}
	}
	return context.Cause(ctx)
}

// timed returns a context that ends after STARTGATE_TIMEOUT.
func (g *gate) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if timeout := time.Duration(g.settings.Timeout); timeout > 0 {
		return context.WithTimeout(ctx, timeout)
	}
	return context.WithCancel(ctx)
}

// wait waits for the target.
func (p *progress) wait(ctx context.Context) error {
	attrs := []any{"target", p.target.Name}
	if timeout := time.Duration(p.settings.Timeout); timeout > 0 {
		attrs = append(attrs, "timeout", timeout)
	}
	p.log.info(eventWaiting, "waiting for "+p.target.Name, attrs...)
	ctx, end := context.WithCancelCause(ctx)
	logging, stop := context.WithCancel(ctx)
	var logger sync.WaitGroup
	logger.Go(func() { p.logMilestones(logging) })
	logger.Go(func() { p.prepareHint(logging) })
	defer logger.Wait()
	defer end(nil)
	defer stop()
	return wait.For(ctx, p.target, wait.Policy{
		Max:         time.Duration(p.settings.BackoffMax),
		Attempt:     time.Duration(p.settings.AttemptTimeout),
		AbsentAfter: time.Duration(p.settings.AbsentAfter),
		Observe: func(e wait.Event) {
			p.observe(e)
			if e.Answer.Outcome == wait.Refused {
				p.lookAgain(ctx, end)
			}
		},
	})
}

// onTimeout ends a wait whose time has passed. It returns nil when the program is to
// start all the same.
func (p *progress) onTimeout(timeout *wait.TimeoutError) error {
	err := p.failed(timeout, timeout.Last, timeout.After)
	if p.settings.OnTimeout == "start" {
		err.attrs = append(err.attrs, "on_timeout", p.settings.OnTimeout)
		p.log.warn(eventGaveUp, err.Error(), append(err.attrs, hintOf(err).attrs()...)...)
		return nil
	}
	return err
}

// onSignal ends a wait that a signal has ended. It gives the hint that was found last:
// after a signal, nobody is asked for one.
func (p *progress) onSignal(signal error) error {
	took := time.Since(p.began)
	text := fmt.Sprintf("not ready after %v and %v", took.Round(10*time.Millisecond), p.probes)
	if p.last.Detail != "" {
		text += ": " + p.last.Detail
	}
	return p.failed(fmt.Errorf("%w while %s was %s", signal, p.target.Name, text), p.last, took)
}

// failed adds to the error that ends a wait which program it keeps from starting, what the
// log says of the wait, and a hint.
func (p *progress) failed(err error, last wait.Answer, took time.Duration) hintedError {
	if p.program != "" && p.settings.OnTimeout != "start" {
		err = fmt.Errorf("cannot start %s: %w", p.program, err)
	}
	attrs := append([]any{"target", p.target.Name, "answer", cmp.Or(last.Detail, noAnswer)}, targetStats{took: took, probes: p.probes}.attrs()...)
	return hintedError{err, attrs, p.hintFor(last)}
}
