package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/startgate/startgate/wait"
)

// progress logs how the wait for one target goes.
type progress struct {
	*gate
	target wait.Target
	began  time.Time

	mu       sync.Mutex
	last     wait.Answer
	answered bool
	probes   wait.Counts

	hint       hint         // the last one that was found
	hintAnswer wait.Outcome // for this kind of answer
}

// state returns the wait as it is now.
func (p *progress) state() waitState {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := unknownInjection
	if isSidecar(p.target, p.plan.subject) {
		in = p.plan.injection
	}
	return waitState{p.target, p.last, p.answered, in, os.Getenv(envInPod) == ""}
}

// observe logs a change of the answer's kind, and every probe at debug.
func (p *progress) observe(e wait.Event) {
	p.mu.Lock()
	p.last = e.Answer
	p.probes[e.Answer.Outcome]++
	p.answered = p.answered || e.Answer.Reach() == wait.Connected
	p.mu.Unlock()
	p.metrics.probed(e)
	attrs := []any{"target", p.target.Name, "answer", e.Answer.Detail, "elapsed", e.Waited.Round(time.Millisecond)}
	switch {
	case e.Answer.Outcome == wait.Ready:
		p.log.info(eventReady, p.target.Name+" is ready", attrs...)
	case e.Changed:
		p.log.info(eventAnswerChanged, p.target.Name+" is not ready yet: "+e.Answer.Detail, attrs...)
	}
	p.log.debug(eventProbe, "probe", "target", p.target.Name, "outcome", e.Answer.Outcome.String(), "answer", e.Answer.Detail,
		"took", e.Took, "knocked", e.Knocked)
}

// findHint looks for a hint, and keeps it for the end of the wait.
func (p *progress) findHint(ctx context.Context, state waitState) hint {
	found := state.hint(ctx)
	if ctx.Err() != nil {
		return hint{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hint, p.hintAnswer = found, state.last.Outcome
	return found
}

// hintFor returns the hint that was found last, if it was for such an answer.
func (p *progress) hintFor(last wait.Answer) hint {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hintAnswer != last.Outcome {
		return hint{}
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

// noAnswer stands for the answer of a target before the first one.
const noAnswer = "no answer yet"

// logMilestones logs at each milestone that the wait goes on, until ctx ends.
func (p *progress) logMilestones(ctx context.Context) {
	var repeats hintRepeats
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
		found := p.hintAt(ctx, at, state)
		if ctx.Err() != nil {
			return // the wait ended while the hint was looked for, which is then no longer true
		}
		answer := cmp.Or(state.last.Detail, noAnswer)
		attrs := append([]any{"target", p.target.Name, "answer", answer, "elapsed", at}, repeats.attrs(found, at)...)
		p.log.info(eventStillWaiting, fmt.Sprintf("still waiting for %s after %v: %s", p.target.Name, duration(at), answer), attrs...)
	}
}

// hintAt returns the hint for a milestone. That this is no pod is certain at the first one;
// all others may still be wrong until hintAfter.
func (p *progress) hintAt(ctx context.Context, at time.Duration, state waitState) hint {
	isEarly := at < hintAfter
	if isEarly && !state.isMeshOutsidePod() {
		return hint{}
	}
	found := p.findHint(ctx, state)
	if isEarly && found.anchor != anchorNotInPod {
		return hint{}
	}
	return found
}
