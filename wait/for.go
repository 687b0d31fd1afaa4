package wait

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// ErrAbsent is returned by [For] for a sidecar that does not exist in this pod, as far as
// [Policy.AbsentAfter] can detect.
var ErrAbsent = errors.New("absent")

// TimeoutError is returned by [For] when the deadline of its context passed before the
// target was ready. It wraps [context.DeadlineExceeded].
type TimeoutError struct {
	Target Target
	After  time.Duration // how long For waited
	Probes Counts        // how often the target was probed
	Last   Answer        // the last answer; one that the deadline cut short counts only if it is the only one
}

// Error returns the target's name, the time waited, the number of probes and the detail
// of the last answer, or its outcome if it has no detail.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s not ready after %v and %v: %s", e.Target.Name, e.After.Round(10*time.Millisecond), e.Probes, cmp.Or(e.Last.Detail, e.Last.Outcome.String()))
}

// Unwrap returns context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// For waits until target is ready, and then returns nil, unless ctx has ended.
//
// It probes at once, and then after pauses that grow by half from policy.Initial to
// policy.Max. Each is extended at random by up to 20%. Except for a sidecar that LogsProbes,
// the pauses so extended grow to a tenth of the time waited at most. When the kind of answer
// changes, they start again from policy.Initial.
//
// If a port refuses connections, For knocks on it during the pause: on the first of
// target.Knock and target.EarlyKnock that does. From one knock to the next it waits 0.5% of the
// time waited so far, and at least 10ms and at most 50ms. As soon as that port accepts a
// connection, For probes again. While a port of target.Knock refuses, a probe would be in
// vain: such a pause is policy.Max long. While a port of target.EarlyKnock refuses, a sidecar
// that LogsProbes is probed after policy.Max, or after a tenth of the time waited, up to 2s,
// if that is more.
//
// If the deadline of ctx passes first, the error is a [*TimeoutError]. If ctx is cancelled,
// the error is [context.Cause]. If policy.AbsentAfter detects that the sidecar does not
// exist, the error is [ErrAbsent].
//
// For keeps no connection and no goroutine when it returns, with two exceptions: package
// net may need some seconds more to end a lookup that was cut short, and a system call that
// does not return keeps its goroutine: see [Target.Held]. Calls may run at the same time,
// also with the same target if its probers allow that, as those from [Parse] do.
func For(ctx context.Context, target Target, policy Policy) error {
	ctx, end := withBackground(ctx)
	defer end()
	w := newWaiter(target, policy)
	defer w.alarm.close()
	for {
		answer := w.probe(ctx)
		if answer.Outcome == Ready {
			return nil
		}
		if err := w.pause(ctx); err != nil {
			return err
		}
	}
}

// waiter holds the state of one call of [For].
type waiter struct {
	target        Target
	policy        Policy
	began         time.Time
	pauses        *backoff.ExponentialBackOff
	probes        Counts
	last          Answer
	answered      bool // something has answered, so the target is not absent
	absenceChecks int  // how often AbsentAfter has passed and the target was not absent
	ports         []port
	current       int  // index in ports: during a pause, the next one to knock on
	knocked       bool // a knock ended the last pause
	alarm         alarm
}

// port is one port to knock on.
type port struct {
	Prober
	refused bool // when last tried
}

func newWaiter(target Target, policy Policy) *waiter {
	policy = policy.withDefaults()
	w := &waiter{target: target, policy: policy, began: time.Now(), pauses: policy.pauses()}
	for _, knock := range target.ports() {
		w.ports = append(w.ports, port{Prober: knock})
	}
	return w
}

// probe probes the target once.
func (w *waiter) probe(ctx context.Context) Answer {
	attempt, cancel := context.WithTimeout(ctx, w.policy.Attempt)
	defer cancel()
	asked := time.Now()
	answer := w.target.Prober.Probe(attempt)
	if answer.Outcome == Ready && ctx.Err() != nil {
		answer = answerFromError(ctx.Err())
	}
	cancelled := errors.Is(ctx.Err(), context.Canceled)
	if answer.Outcome != Ready && (cancelled || isPast(ctx) && w.probes.Total() > 0) {
		return answer // the end of ctx has cut it short, so an earlier answer says more
	}
	changed := kind(answer) != kind(w.last)
	if changed {
		w.pauses.Reset()
	}
	w.answered = w.answered || answer.Reach() == Connected
	w.probes[answer.Outcome]++
	w.last = answer
	w.policy.Observe(Event{
		Target: w.target, Answer: answer, Took: time.Since(asked), Waited: time.Since(w.began),
		Changed: changed, Knocked: w.knocked,
	})
	return answer
}

// isPast reports whether the deadline of ctx has passed. A connection with the same
// deadline may time out shortly before ctx.Err reports it.
func isPast(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// kind returns Ready, Refused, or NotReady for everything else. When the kind changes, the
// pauses start again: a target that has just started or stopped answering is likely to
// change again soon.
func kind(a Answer) Outcome {
	switch a.Outcome {
	case NotReady, Timeout, Failed:
		return NotReady
	}
	return a.Outcome
}

// pause sleeps until the next probe is due. Meanwhile it knocks on the first port that
// refuses; as soon as that port accepts, pause returns early. An error ends the wait.
func (w *waiter) pause(ctx context.Context) error {
	w.startKnocking()
	began, pause := time.Now(), w.nextPause()
	for ctx.Err() == nil {
		now := time.Now()
		if w.isAbsent(ctx, now) {
			return ErrAbsent
		}
		if now.Sub(began) >= pause {
			return nil
		}
		result := w.knock(ctx)
		if result == justOpened {
			w.pauses.Reset()
			w.knocked = true
			return nil
		}
		if result == stillRefused {
			pause = w.pauseWhileRefused(pause, began)
		}
		w.sleepUntil(ctx, w.nextWake(now, began.Add(pause), result))
	}
	return w.contextError(ctx)
}

// nextPause returns the length of a pause that nothing but a probe can end. Where a failed
// probe costs the target nothing, pauses are shorter.
func (w *waiter) nextPause() time.Duration {
	longest := w.policy.Max
	if !w.logsProbes() {
		longest = min(longest, max(w.policy.Initial, time.Duration(float64(w.tenth(time.Now()))/(1+jitter))))
	}
	w.pauses.MaxInterval = middle(longest)
	return w.pauses.NextBackOff()
}

// logsProbes reports whether a failed probe costs the target a line in its log.
func (w *waiter) logsProbes() bool {
	return w.target.Sidecar != nil && w.target.Sidecar.LogsProbes
}

// pauseWhileRefused returns the length of a pause that was to be so long, if the current
// port refuses: a probe meanwhile would be in vain, or costs the target a line in its log.
func (w *waiter) pauseWhileRefused(pause time.Duration, began time.Time) time.Duration {
	switch {
	case w.current < len(w.target.Knock):
		return w.policy.Max
	case w.logsProbes():
		return max(w.policy.Max, min(w.tenth(began), longestTenth))
	}
	return pause
}

// tenth returns a tenth of the time waited.
func (w *waiter) tenth(now time.Time) time.Duration { return now.Sub(w.began) / 10 }

// nextWake returns when a pause that ends at end has something to do next: another knock, a
// check for absence, or the probe.
func (w *waiter) nextWake(now, end time.Time, result knockResult) time.Time {
	wake := end
	if result == stillRefused {
		wake = earlier(wake, now.Add(knockInterval(now.Sub(w.began))))
	}
	if check, ok := w.nextAbsenceCheck(); ok {
		wake = earlier(wake, check)
	}
	return wake
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// sleepUntil sleeps until the time has come, or ctx has ended.
func (w *waiter) sleepUntil(ctx context.Context, wake time.Time) {
	if w.knocksForReal() && w.alarm.sleep(ctx, time.Until(wake)) {
		return
	}
	select {
	case <-time.After(time.Until(wake)):
	case <-ctx.Done():
	}
}

// knocksForReal reports whether the ports are of this package. Others, such as those of a
// test, may have a clock of their own, which no kernel knows.
func (w *waiter) knocksForReal() bool {
	return len(w.ports) > 0 && !slices.ContainsFunc(w.ports, func(p port) bool {
		_, ok := p.Prober.(knock)
		return !ok
	})
}

// knockInterval returns the time from one knock to the next after so long a wait.
func knockInterval(waited time.Duration) time.Duration {
	return min(max(knockFastest, waited/200), knockSlowest)
}

// startKnocking begins again with the first port that may refuse.
func (w *waiter) startKnocking() {
	w.knocked = false
	w.current = 0
	if w.last.Outcome != Refused {
		w.current = len(w.target.Knock) // the probe has just reached these
	}
}

// knockResult is the result of one knock.
type knockResult int

const (
	nothingToKnock knockResult = iota // every port accepts
	stillRefused                      // the current port still refuses
	justOpened                        // the current port refused before, and now accepts
)

// knock connects to the current port. Once that port accepts, it moves on to the next one,
// for the rest of the pause.
func (w *waiter) knock(ctx context.Context) knockResult {
	for ; w.current < len(w.ports); w.current++ {
		port := &w.ports[w.current]
		refusedBefore := port.refused
		port.refused = w.isRefused(ctx, port.Prober)
		switch {
		case port.refused:
			return stillRefused
		case refusedBefore:
			w.answered = true
			return justOpened
		}
		w.answered = true
	}
	return nothingToKnock
}

// isRefused reports whether a port refuses connections. Where the kernel answers at once no
// time limit is needed, which takes longer than to connect.
func (w *waiter) isRefused(ctx context.Context, port Prober) bool {
	if knock, ok := port.(knock); ok {
		if answer, ok := knock.onLoopback(ctx); ok {
			return answer.Outcome == Refused
		}
	}
	ctx, cancel := context.WithTimeout(ctx, w.policy.Attempt)
	defer cancel()
	return port.Probe(ctx).Outcome == Refused
}

// nextAbsenceCheck returns when the target is to be checked for absence; ok is false for
// a target that cannot be absent.
func (w *waiter) nextAbsenceCheck() (at time.Time, ok bool) {
	if w.policy.AbsentAfter <= 0 || w.target.Sidecar == nil || w.answered {
		return time.Time{}, false
	}
	return w.began.Add(w.policy.AbsentAfter * time.Duration(w.absenceChecks+1)), true
}

// isAbsent reports whether a check for absence is due and finds that nothing has listened
// on any port of the target, and that there is no sign of a sidecar that is about to start.
func (w *waiter) isAbsent(ctx context.Context, now time.Time) bool {
	at, ok := w.nextAbsenceCheck()
	if !ok || now.Before(at) {
		return false
	}
	w.absenceChecks++
	ctx, cancel := context.WithTimeout(ctx, w.policy.Attempt)
	defer cancel()
	if w.target.Listens(ctx) {
		w.answered = true
		return false
	}
	return !w.policy.redirected(ctx) && !isPast(ctx) && ctx.Err() == nil
}

// contextError returns the error of a wait that ctx ended.
func (w *waiter) contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &TimeoutError{Target: w.target, After: time.Since(w.began), Probes: w.probes, Last: w.last}
	}
	return context.Cause(ctx)
}
