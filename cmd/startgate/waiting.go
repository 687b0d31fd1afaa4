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
	attrs := []any{"waited", t.took.Round(time.Millisecond)}
	for outcome, n := range t.probes {
		if n > 0 {
			attrs = append(attrs, wait.Outcome(outcome).String(), n)
		}
	}
	return attrs
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
			g.log.Info(target.Name+" is absent: nothing has listened on its ports", "after", time.Duration(g.settings.AbsentAfter))
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

// progress logs how the wait for one target goes.
type progress struct {
	*gate
	target wait.Target
	began  time.Time

	mu       sync.Mutex
	last     wait.Answer
	answered bool
	probes   wait.Counts

	hint       string       // the last one that was found
	hintAnswer wait.Outcome // for this kind of answer
}

// wait waits for the target.
func (p *progress) wait(ctx context.Context) error {
	var attrs []any
	if timeout := time.Duration(p.settings.Timeout); timeout > 0 {
		attrs = append(attrs, "timeout", timeout)
	}
	p.log.Info("waiting for "+p.target.Name, attrs...)
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
	err := p.withProgramAndHint(timeout, p.hintFor(timeout.Last))
	if p.settings.OnTimeout == "start" {
		p.log.Warn(err.Error(), "on_timeout", p.settings.OnTimeout)
		return nil
	}
	return err
}

// onSignal ends a wait that a signal has ended. It gives the hint that was found last:
// after a signal, nobody is asked for one.
func (p *progress) onSignal(signal error) error {
	text := fmt.Sprintf("not ready after %v and %v", time.Since(p.began).Round(10*time.Millisecond), p.probes)
	if p.last.Detail != "" {
		text += ": " + p.last.Detail
	}
	return p.withProgramAndHint(fmt.Errorf("%w while %s was %s", signal, p.target.Name, text), p.hintFor(p.last))
}

// withProgramAndHint adds to an error which program it keeps from starting, and a hint,
// which may be empty.
func (g *gate) withProgramAndHint(err error, hint string) error {
	if g.program != "" && g.settings.OnTimeout != "start" {
		err = fmt.Errorf("cannot start %s: %w", g.program, err)
	}
	if hint != "" {
		err = fmt.Errorf("%w. %s", err, hint)
	}
	return err
}

// state returns the wait as it is now.
func (p *progress) state() waitState {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := unknownInjection
	if isSidecar(p.target, p.plan.subject) {
		in = p.plan.injection
	}
	return waitState{p.target, p.last, p.answered, in}
}

// observe logs a change of the answer's kind, and every probe at debug.
func (p *progress) observe(e wait.Event) {
	p.mu.Lock()
	p.last = e.Answer
	p.probes[e.Answer.Outcome]++
	p.answered = p.answered || e.Answer.Reach() == wait.Connected
	p.mu.Unlock()
	p.metrics.probed(e)
	switch {
	case e.Answer.Outcome == wait.Ready:
		p.log.Info(p.target.Name+" is ready", "after", e.Waited.Round(time.Millisecond))
	case e.Changed:
		p.log.Info(p.target.Name+" is not ready yet: "+e.Answer.Detail, "after", e.Waited.Round(time.Millisecond))
	}
	p.log.Debug("probe", "target", p.target.Name, "outcome", e.Answer.Outcome.String(), "answer", e.Answer.Detail,
		"took", e.Took, "knocked", e.Knocked)
}

// findHint looks for a hint, and keeps it for the end of the wait.
func (p *progress) findHint(ctx context.Context, state waitState) string {
	hint := state.hint(ctx)
	if ctx.Err() != nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hint, p.hintAnswer = hint, state.last.Outcome
	return hint
}

// hintFor returns the hint that was found last, if it was for such an answer.
func (p *progress) hintFor(last wait.Answer) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hintAnswer != last.Outcome {
		return ""
	}
	return p.hint
}

// prepareHint looks for a hint shortly before the deadline, which waits for nobody.
func (p *progress) prepareHint(ctx context.Context) {
	limit, ok := ctx.Deadline()
	if !ok {
		return
	}
	lead := min(2*hintPatience, time.Until(limit)/2)
	select {
	case <-time.After(time.Until(limit.Add(-lead))):
		p.findHint(ctx, p.state())
	case <-ctx.Done():
	}
}

// milestones are when the log says that the wait goes on. The last one is repeated.
var milestones = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
}

// milestone returns the time of the milestone number i, counted from 0.
func milestone(i int) time.Duration {
	last := len(milestones) - 1
	return milestones[min(i, last)] + time.Duration(max(i-last, 0))*milestones[last]
}

// hintAfter is the time from which on the log says what may be wrong.
const hintAfter = 10 * time.Second

// logMilestones logs at each milestone that the wait goes on, until ctx ends.
func (p *progress) logMilestones(ctx context.Context) {
	for i := 0; ; i++ {
		at := milestone(i)
		if limit, ok := ctx.Deadline(); ok && !p.began.Add(at).Before(limit) {
			return // the end has a line of its own
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(p.began.Add(at))):
		}
		state := p.state()
		var attrs []any
		if at >= hintAfter {
			hint := p.findHint(ctx, state)
			if ctx.Err() != nil {
				return // the wait ended while the hint was looked for, which is then no longer true
			}
			if hint != "" {
				attrs = append(attrs, "hint", hint)
			}
		}
		p.log.Info(fmt.Sprintf("still waiting for %s after %v: %s", p.target.Name, at, cmp.Or(state.last.Detail, "no answer yet")), attrs...)
	}
}
