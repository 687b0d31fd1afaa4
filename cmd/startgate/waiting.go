package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/startgate/startgate/wait"
)

// waited is what the waiting took, in all and for each target.
type waited struct {
	name    string // of the target
	took    time.Duration
	probes  wait.Counts
	targets []waited
}

// attrs returns the time and the probes of each kind for the log, and those of each
// target when there are several.
func (w waited) attrs() []any {
	attrs := []any{"waited", w.took.Round(time.Millisecond)}
	for outcome, n := range w.probes {
		if n > 0 {
			attrs = append(attrs, wait.Outcome(outcome).String(), n)
		}
	}
	if len(w.targets) < 2 {
		return attrs
	}
	var each []any
	for _, target := range w.targets {
		each = append(each, slog.Group(target.name, target.attrs()...))
	}
	return append(attrs, slog.Group("targets", each...))
}

// add adds what the waiting for one target took.
func (w *waited) add(target waited) {
	w.took += target.took
	for outcome, n := range target.probes {
		w.probes[outcome] += n
	}
	w.targets = append(w.targets, target)
}

// waitForAll waits for one target after the other.
func (g *gate) waitForAll(ctx context.Context) error {
	timed := ctx
	if timeout := time.Duration(g.config.Timeout); timeout > 0 {
		var cancel func()
		timed, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	for _, target := range g.pod.targets {
		p := &progress{gate: g, target: target, began: time.Now()}
		g.metrics.waitingFor(target)
		err := p.wait(timed)
		took := time.Since(p.began)
		g.pod.seen[target.Name] = g.pod.seen[target.Name] || p.heard
		g.metrics.waitedFor(target, took)
		g.waited.add(waited{name: target.Name, took: took, probes: p.probes})
		var timeout *wait.TimeoutError
		switch {
		case err == nil:
		case errors.Is(err, wait.ErrAbsent):
			g.pod.seen[target.Name] = true // so that nobody waits for it when it is to quit
			g.log.Info(target.Name+" is absent: nothing has listened on its ports", "after", time.Duration(g.config.AbsentAfter))
		case errors.As(err, &timeout):
			return p.gaveUp(ctx, timeout)
		default:
			return p.interrupted(err)
		}
	}
	return context.Cause(ctx)
}

// gaveUp is the end of a wait whose time is over: nil when the program is to start
// all the same.
func (p *progress) gaveUp(ctx context.Context, timeout *wait.TimeoutError) error {
	err := p.because(timeout, p.stuck().hint(ctx))
	if p.config.OnTimeout == "start" {
		p.log.Warn(err.Error(), "on_timeout", p.config.OnTimeout)
		return nil
	}
	return err
}

// because is the reason not to start the program, and a hint, which may be empty.
func (g *gate) because(err error, hint string) error {
	if g.program != "" && g.config.OnTimeout != "start" {
		err = fmt.Errorf("cannot start %s: %w", g.program, err)
	}
	if hint != "" {
		err = fmt.Errorf("%w. %s", err, hint)
	}
	return err
}

// interrupted is the end of a wait that a signal ended.
func (p *progress) interrupted(by error) error {
	text := fmt.Sprintf("not ready after %v and %v", time.Since(p.began).Round(10*time.Millisecond), p.probes)
	if p.last.Detail != "" {
		text += ": " + p.last.Detail
	}
	return p.because(fmt.Errorf("%w while %s was %s", by, p.target.Name, text), p.stuck().hint(context.Background()))
}

// wait waits for the target and tells the log how that goes.
func (p *progress) wait(ctx context.Context) error {
	g, target := p.gate, p.target
	var attrs []any
	if deadline, ok := ctx.Deadline(); ok {
		attrs = append(attrs, "timeout", time.Until(deadline).Round(10*time.Millisecond))
	}
	g.log.Info("waiting for "+target.Name, attrs...)
	reporting, stop := context.WithCancel(ctx)
	var reporter sync.WaitGroup
	reporter.Go(func() { p.report(reporting) })
	defer reporter.Wait()
	defer stop()
	return wait.For(ctx, target, wait.Policy{
		Max:         time.Duration(g.config.BackoffMax),
		Attempt:     time.Duration(g.config.AttemptTimeout),
		AbsentAfter: time.Duration(g.config.AbsentAfter),
		Observe:     p.observe,
	})
}

// progress tells the log how the wait for one target goes.
type progress struct {
	*gate
	target wait.Target
	began  time.Time

	mu     sync.Mutex
	last   wait.Answer
	heard  bool // it has answered
	probes wait.Counts
}

// stuck returns the wait as it is.
func (p *progress) stuck() stuck {
	p.mu.Lock()
	defer p.mu.Unlock()
	return stuck{p.target, p.last, p.heard, p.config.SidecarStatus == nil}
}

// observe logs a change of the answer's kind, and every probe at debug.
func (p *progress) observe(e wait.Event) {
	p.mu.Lock()
	p.last = e.Answer
	p.probes[e.Answer.Outcome]++
	p.heard = p.heard || e.Answer.Reached()
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
		if limit, ok := ctx.Deadline(); ok && !p.began.Add(at).Before(limit) {
			return // the end is told by itself
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(p.began.Add(at))):
		}
		s := p.stuck()
		var attrs []any
		if at >= hintAfter {
			if hint := s.hint(ctx); hint != "" {
				attrs = append(attrs, "hint", hint)
			}
		}
		if ctx.Err() != nil {
			return // the wait ended while the hint was looked for, which is then no longer true
		}
		p.log.Info(fmt.Sprintf("still waiting for %s after %v: %s", p.target.Name, at, s.last.Detail), attrs...)
	}
}
