package wait

import (
	"cmp"
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy is how [For] waits. Its zero value is a good one.
type Policy struct {
	Initial time.Duration // the first pause between probes; 0 is 10ms
	Max     time.Duration // the longest pause; 0 is 500ms
	Attempt time.Duration // the longest that one probe may take; 0 is 3s

	// AbsentAfter is how long nothing may have listened on any port of a target
	// that is a [Sidecar] before it counts as absent; 0 is never.
	AbsentAfter time.Duration

	// Observe is called after each probe, from the goroutine that called For;
	// the wait goes on when it returns. It may be nil.
	Observe func(Event)

	redirected func(context.Context) bool // nil is Redirected
}

// Event is one probe and its answer.
type Event struct {
	Target  Target
	Answer  Answer
	Took    time.Duration // the probe
	Waited  time.Duration // since For began
	Changed bool          // the first answer, or one of another kind: refused, answering, ready
	Knocked bool          // the probe came at once because a knock was answered
}

const (
	growth = 1.5 // of the pause, from one to the next
	jitter = 0.2 // of a pause, at most, on top of it

	knockEvery = 10 * time.Millisecond
	knockSlow  = 50 * time.Millisecond // after knockLong
	knockLong  = 10 * time.Second
)

// withDefaults returns p with its zero durations filled in.
func (p Policy) withDefaults() Policy {
	p.Max = cmp.Or(p.Max, 500*time.Millisecond)
	p.Initial = min(cmp.Or(p.Initial, 10*time.Millisecond), p.Max)
	p.Attempt = cmp.Or(p.Attempt, 3*time.Second)
	if p.Observe == nil {
		p.Observe = func(Event) {}
	}
	if p.redirected == nil {
		p.redirected = Redirected
	}
	return p
}

// pauses returns the lengths of the pauses between probes. backoff randomizes
// around a middle, so the middle is put where the shortest is what was asked for.
func (p Policy) pauses() *backoff.ExponentialBackOff {
	const middle = 1 + jitter/2
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(time.Duration(float64(p.Initial)*middle)),
		backoff.WithMaxInterval(time.Duration(float64(p.Max)*middle)),
		backoff.WithMultiplier(growth),
		backoff.WithRandomizationFactor(jitter/2/middle),
		backoff.WithMaxElapsedTime(0), // the deadline is the context's
	)
}
