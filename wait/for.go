package wait

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// ErrAbsent says that a sidecar does not exist in this pod, as far as
// [Policy.AbsentAfter] can tell.
var ErrAbsent = errors.New("absent")

// TimeoutError says that a target was not ready when the context's deadline came.
// It wraps [context.DeadlineExceeded].
type TimeoutError struct {
	Target Target
	After  time.Duration // how long For waited for it
	Probes Counts
	Last   Answer // the last one that was not cut short by the deadline, if any
}

// Error returns the target, how long it was waited for, how often it was asked
// and the last answer.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s not ready after %v and %v: %s", e.Target.Name, e.After.Round(10*time.Millisecond), e.Probes, e.Last.Detail)
}

// Unwrap returns context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// For waits until target is ready and returns nil.
//
// It probes at once and then again after pauses that grow by half from
// policy.Initial to policy.Max, each with up to 20% on top, and begin anew when
// the kind of answer changes. During a pause it knocks on the addresses of
// target.Knock, every 10ms (every 50ms after 10s), and when one that refused
// answers, the next probe comes at once.
//
// When ctx ends first, the error is a [*TimeoutError] if that was its deadline,
// and [context.Cause] otherwise. It is [ErrAbsent] when policy.AbsentAfter says
// so.
func For(ctx context.Context, target Target, policy Policy) error {
	policy = policy.withDefaults()
	v := &vigil{
		target: target, policy: policy, began: time.Now(), pauses: policy.pauses(),
		refuses: make([]bool, len(target.Knock)),
	}
	for {
		answer := v.probe(ctx)
		if answer.Outcome == Ready {
			return nil
		}
		if err := v.pause(ctx); err != nil {
			return err
		}
	}
}

// vigil is one call of For.
type vigil struct {
	target  Target
	policy  Policy
	began   time.Time
	pauses  *backoff.ExponentialBackOff
	probes  Counts
	last    Answer
	knocked bool   // a knock ended the last pause
	heard   bool   // something has answered, so the target is not absent
	checked int    // how often AbsentAfter has passed and the target was not absent
	refuses []bool // whether the knock at this place was refused when last tried
}

// probe asks the target once.
func (v *vigil) probe(ctx context.Context) Answer {
	attempt, cancel := context.WithTimeout(ctx, v.policy.Attempt)
	defer cancel()
	asked := time.Now()
	answer := v.target.Prober.Probe(attempt)
	cancelled := errors.Is(ctx.Err(), context.Canceled)
	if answer.Outcome != Ready && (cancelled || isPast(ctx) && v.probes.Total() > 0) {
		return answer // the end of ctx spoiled it, and an earlier one, if any, says more
	}
	changed := kind(answer) != kind(v.last)
	if changed {
		v.pauses.Reset()
	}
	v.heard = v.heard || answer.Reached()
	v.probes[answer.Outcome]++
	v.last = answer
	v.policy.Observe(Event{
		Target: v.target, Answer: answer, Took: time.Since(asked), Waited: time.Since(v.began),
		Changed: changed, Knocked: v.knocked,
	})
	return answer
}

// isPast tells whether the deadline of ctx has come. A connection notices that a
// little before ctx does.
func isPast(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// kind sorts answers into those after which the pauses begin anew: a target that
// begins to answer, or ceases to, is likely to change again soon.
func kind(a Answer) Outcome {
	switch a.Outcome {
	case NotReady, Timeout, Failed:
		return NotReady
	}
	return a.Outcome
}

// pause returns nil when it is time for the next probe.
func (v *vigil) pause(ctx context.Context) error {
	v.knocked = false
	end := time.Now().Add(v.pauses.NextBackOff())
	knocking, cancel := context.WithDeadline(ctx, end.Add(v.policy.Attempt)) // one for all: knocks are many
	defer cancel()
	knocks := 0 // where to knock: the first address that may still refuse
	if v.last.Outcome != Refused {
		knocks = min(v.target.own, len(v.target.Knock))
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return v.gaveUp(ctx)
		case <-timer.C:
		}
		now := time.Now()
		if err := v.absent(ctx, now); err != nil {
			return err
		}
		if !now.Before(end) {
			return nil
		}
		next := end
		if v.knock(knocking, &knocks) {
			v.pauses.Reset()
			v.knocked = true
			return nil
		}
		if knocks < len(v.target.Knock) {
			next = earlier(end, now.Add(v.knockInterval(now)))
		}
		if deadline, ok := v.absentAt(); ok {
			next = earlier(next, deadline)
		}
		timer.Reset(time.Until(next))
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (v *vigil) knockInterval(now time.Time) time.Duration {
	if now.Sub(v.began) > knockLong {
		return knockSlow
	}
	return knockEvery
}

// knock tries the first address that refuses, from the one at place *i on, and
// tells whether one that had refused before answers now. One that answers and had
// not refused is passed over for the rest of the pause.
func (v *vigil) knock(ctx context.Context, i *int) bool {
	for ; *i < len(v.target.Knock); *i++ {
		if v.target.Knock[*i].Probe(ctx).Outcome == Refused {
			v.refuses[*i] = true
			return false
		}
		v.heard = true
		if v.refuses[*i] {
			v.refuses[*i] = false
			return true
		}
	}
	return false
}

// absentAt returns when the target is next to be checked for absence.
func (v *vigil) absentAt() (time.Time, bool) {
	if v.policy.AbsentAfter <= 0 || v.target.Sidecar == nil || v.heard {
		return time.Time{}, false
	}
	return v.began.Add(v.policy.AbsentAfter * time.Duration(v.checked+1)), true
}

// absent returns ErrAbsent when the target has been silent for long enough on
// all its ports, and nothing points to one that is about to start.
func (v *vigil) absent(ctx context.Context, now time.Time) error {
	at, ok := v.absentAt()
	if !ok || now.Before(at) {
		return nil
	}
	v.checked++
	ctx, cancel := context.WithTimeout(ctx, v.policy.Attempt)
	defer cancel()
	for _, port := range v.target.Knock {
		if port.Probe(ctx).Outcome != Refused {
			v.heard = true
			return nil
		}
	}
	if v.policy.redirected(ctx) || ctx.Err() != nil {
		return nil
	}
	return ErrAbsent
}

// gaveUp is the error of a wait that ctx ended.
func (v *vigil) gaveUp(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &TimeoutError{Target: v.target, After: time.Since(v.began), Probes: v.probes, Last: v.last}
	}
	return context.Cause(ctx)
}
