package wait

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy configures [For]. The zero value is ready to use. Durations that are 0 or negative
// mean what is said below; others count as 10ms if they are less, and as 24h if they are more.
type Policy struct {
	Initial time.Duration // the first pause between probes, at most Max; 0 means 10ms
	Max     time.Duration // the longest pause, to which up to 20% are added, but see [For] about LogsProbes; 0 means 500ms
	Attempt time.Duration // the time limit of one probe; 0 means 3s

	// AbsentAfter is for a target that is a [Sidecar]. When nothing has listened on any
	// of its ports for this long since For began, and outbound traffic is not
	// [Redirected], the sidecar counts as absent. While traffic is redirected, this is
	// checked again at the same interval. 0 means never.
	AbsentAfter time.Duration

	// Observe, if not nil, is called after each probe, on the goroutine that called For.
	// The wait continues when Observe returns.
	Observe func(Event)

	redirected func(context.Context) bool // nil means Redirected
}

// Event describes one probe during a wait.
type Event struct {
	Target  Target
	Answer  Answer
	Took    time.Duration // the duration of the probe
	Waited  time.Duration // the time since For began
	Changed bool          // whether this is the first answer, or of another kind than the last: refused, answering, ready
	Knocked bool          // whether the probe came early because a knock was answered
}

const (
	growth = 1.5 // the factor from one pause to the next
	jitter = 0.2 // the largest part of a pause that is added to it at random

	knockFastest = 10 * time.Millisecond
	knockSlowest = 50 * time.Millisecond

	longestTenth = 2 * time.Second // up to which a pause may be longer than Max where LogsProbes
)

// withDefaults returns p with its defaults filled in.
func (p Policy) withDefaults() Policy {
	p.Max = bounded(p.Max, 500*time.Millisecond)
	p.Initial = min(bounded(p.Initial, 10*time.Millisecond), p.Max)
	p.Attempt = bounded(p.Attempt, 3*time.Second)
	p.AbsentAfter = bounded(p.AbsentAfter, 0)
	if p.Observe == nil {
		p.Observe = func(Event) {}
	}
	if p.redirected == nil {
		p.redirected = Redirected
	}
	return p
}

// bounded returns byDefault if d is not positive, and else what is nearest to d within the
// bounds of [Policy]. They keep a wait from being a busy loop, and sums from overflowing.
func bounded(d, byDefault time.Duration) time.Duration {
	const shortest, longest = 10 * time.Millisecond, 24 * time.Hour
	if d <= 0 {
		return byDefault
	}
	return min(max(d, shortest), longest)
}

// pauses returns the lengths of the pauses between probes.
func (p Policy) pauses() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(middle(p.Initial)),
		backoff.WithMaxInterval(middle(p.Max)),
		backoff.WithMultiplier(growth),
		backoff.WithRandomizationFactor(jitter/2/middleOfJitter),
		backoff.WithMaxElapsedTime(0), // the context has the deadline
	)
}

const middleOfJitter = 1 + jitter/2

// middle returns the middle of a pause that is at least d long. Package backoff randomizes
// in both directions around it.
func middle(d time.Duration) time.Duration { return time.Duration(float64(d) * middleOfJitter) }
