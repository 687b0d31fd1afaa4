package wait

// This file covers waits on a simulated clock: pauses, knocks, deadlines, cancellation and
// absent sidecars.

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// script is a target whose answers depend on the time since it was made.
type script struct {
	began time.Time
	steps []step
	asked []time.Duration // when it was probed
}

// step is the answer that a script gives from a moment on.
type step struct {
	from   time.Duration
	answer Answer
}

var (
	notReady = Answer{NotReady, "status 503", nil}
	ready    = Answer{Ready, "status 200", nil}
)

func newScript(steps ...step) *script { return &script{began: time.Now(), steps: steps} }

func (s *script) now() Answer {
	answer := refused
	for _, step := range s.steps {
		if time.Since(s.began) >= step.from {
			answer = step.answer
		}
	}
	return answer
}

func (s *script) Probe(ctx context.Context) Answer {
	s.asked = append(s.asked, time.Since(s.began))
	answer := s.now()
	if answer.Outcome == Timeout {
		<-ctx.Done()
	}
	return answer
}

// port returns the port of s, to knock on.
func (s *script) port() Prober {
	return ProbeFunc(func(context.Context) Answer { return s.now() })
}

// A sidecar that logs probes, and has opened its early port, is not asked more often.
func TestForProbesWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(step{0, notReady}, step{5 * time.Second, ready})
		open := ProbeFunc(func(context.Context) Answer { return ready })
		if err := For(t.Context(), Target{Name: "it", Prober: s, EarlyKnock: []Prober{open}, Sidecar: &sidecars[0]}, Policy{}); err != nil {
			t.Fatal(err)
		}
		pause := 10 * time.Millisecond
		for i := 1; i < len(s.asked); i++ {
			got := s.asked[i] - s.asked[i-1]
			if got < pause-time.Microsecond || got > pause+pause/5+time.Microsecond {
				t.Errorf("pause %d is %v, want %v to 20%% more", i, got, pause)
			}
			pause = min(pause*3/2, 500*time.Millisecond)
		}
		if n := len(s.asked); n < 15 || n > 20 {
			t.Errorf("%d probes in 5s, want 15 to 20", n)
		}
	})
}

// delayShares returns how late waits found a target ready that answered from the beginning,
// as a share of the time until it was ready, in order, and how often it was probed in the
// median.
func delayShares(t *testing.T, from, to time.Duration) (shares []float64, probes int) {
	t.Helper()
	var asked []int
	for range 600 {
		synctest.Test(t, func(t *testing.T) {
			readyAt := from + rand.N(to-from)
			s := newScript(step{0, notReady}, step{readyAt, ready})
			if err := For(t.Context(), Target{Name: "it", Prober: s}, Policy{}); err != nil {
				t.Fatal(err)
			}
			shares = append(shares, float64(time.Since(s.began)-readyAt)/float64(readyAt))
			asked = append(asked, len(s.asked))
		})
	}
	slices.Sort(shares)
	slices.Sort(asked)
	return shares, asked[len(asked)/2]
}

// Of targets that only a probe can find ready, half are found less than 5% late, and all less
// than 10%. The pauses are no shorter than that takes.
func TestForIsLateByAShareOfTheWait(t *testing.T) {
	for _, from := range []time.Duration{200 * time.Millisecond, 2 * time.Second, 4 * time.Second} {
		shares, probes := delayShares(t, from, from*5/4)
		median, p99 := shares[len(shares)/2], shares[len(shares)*99/100]
		t.Logf("ready after %v to %v: late by %.1f%%, p99 %.1f%%, after %d probes", from, from*5/4, 100*median, 100*p99, probes)
		if median > 0.052 || median < 0.03 || p99 > 0.1 {
			t.Errorf("ready after %v: late by %.1f%%, p99 %.1f%%, want 3%% to 5%% and at most 10%%", from, 100*median, 100*p99)
		}
		if most := 11 + int(12*math.Log(float64(from*5/4)/float64(100*time.Millisecond))); probes > most {
			t.Errorf("ready after %v: %d probes, want at most %d", from, probes, most)
		}
	}
}

func TestForRestartsPausesWhenTheKindOfAnswerChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(step{0, notReady}, step{3 * time.Second, refused}, step{6 * time.Second, notReady}, step{9 * time.Second, ready})
		if err := For(t.Context(), Target{Name: "it", Prober: s}, Policy{}); err != nil {
			t.Fatal(err)
		}
		for _, change := range []time.Duration{3 * time.Second, 6 * time.Second} {
			for i, at := range s.asked[:len(s.asked)-1] {
				if at < change {
					continue
				}
				if pause := s.asked[i+1] - at; pause > 12*time.Millisecond {
					t.Errorf("after the change at %v the pause is %v, want 10ms to 12ms", change, pause)
				}
				break
			}
		}
	})
}

func TestForKnocksAndProbesAtOnce(t *testing.T) {
	// The pauses after the knock are 10ms, 15ms and 22.5ms, with 20% on top.
	for late, most := range map[time.Duration]time.Duration{
		0:                      10 * time.Millisecond,
		20 * time.Millisecond:  18 * time.Millisecond,
		200 * time.Millisecond: 92 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			const listening, up = 500 * time.Millisecond, 2250 * time.Millisecond
			agent := newScript(step{listening, notReady}, step{up + late, ready})
			envoy := newScript(step{up, ready})
			target := Target{Name: "istio", Prober: agent, Knock: []Prober{agent.port()}, EarlyKnock: []Prober{envoy.port()}, Sidecar: &sidecars[0]}
			if err := For(t.Context(), target, Policy{}); err != nil {
				t.Fatal(err)
			}
			delay := time.Since(agent.began) - up - late
			if delay > most {
				t.Errorf("ready %v after the knock was noticed %v later, want at most %v", late, delay, most)
			}
			answered := 0
			for _, at := range agent.asked {
				if at >= listening {
					answered++
				}
			}
			if answered > 20 || answered > 15 && late < 200*time.Millisecond {
				t.Errorf("%d probes were answered, want at most 15, or 20 when ready is late", answered)
			}
		})
	}
}

func TestForKnocksOnceOnAnOpenPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(step{0, notReady}, step{2 * time.Second, ready})
		knocks := 0
		open := ProbeFunc(func(context.Context) Answer { knocks++; return ready })
		if err := For(t.Context(), Target{Name: "it", Prober: s, EarlyKnock: []Prober{open}}, Policy{}); err != nil {
			t.Fatal(err)
		}
		if pauses := len(s.asked) - 1; knocks > pauses {
			t.Errorf("%d knocks in %d pauses", knocks, pauses)
		}
	})
}

func TestForKnocksEvery200thOfTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		knocks := map[string]int{}
		closed := ProbeFunc(func(context.Context) Answer {
			switch waited := time.Since(began); {
			case waited < 2*time.Second:
				knocks["10ms"]++
			case waited < 10*time.Second:
				knocks["0.5%"]++
			default:
				knocks["50ms"]++
			}
			return refused
		})
		s := newScript()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := For(ctx, Target{Name: "it", Prober: s, Knock: []Prober{closed}}, Policy{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		for pace, want := range map[string]int{"10ms": 200, "0.5%": 322, "50ms": 200} { // 322 = ln(10/2)/ln(1.005)
			if n := knocks[pace]; n < want || n > want+10 {
				t.Errorf("%d knocks at the pace of %s, want %d or few more", n, pace, want)
			}
		}
		if n := len(s.asked); n > 41 {
			t.Errorf("%d probes, want one each 500ms: the knocks show that they are in vain", n)
		}
	})
}

// While the early port refuses, each probe costs the target a line in its log.
func TestForProbesSeldomWhileTheEarlyPortRefuses(t *testing.T) {
	const answers, opens = 500 * time.Millisecond, time.Minute
	for _, test := range []struct{ longest, first, last time.Duration }{
		{0, 500 * time.Millisecond, 2 * time.Second},
		{100 * time.Millisecond, 100 * time.Millisecond, 2 * time.Second},
		{5 * time.Second, 5 * time.Second, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			agent := newScript(step{answers, notReady}, step{opens, ready})
			envoy := newScript(step{opens, ready})
			target := Target{Name: "istio", Prober: agent, Knock: []Prober{agent.port()}, EarlyKnock: []Prober{envoy.port()}, Sidecar: &sidecars[0]}
			if err := For(t.Context(), target, Policy{Max: test.longest}); err != nil {
				t.Fatal(err)
			}
			if late := time.Since(agent.began) - opens; late > 50*time.Millisecond {
				t.Errorf("ready when the early port opens, and noticed %v later", late)
			}
			asked := slices.DeleteFunc(agent.asked, func(at time.Duration) bool { return at < answers })
			first, last := asked[1]-asked[0], asked[len(asked)-2]-asked[len(asked)-3]
			if first != test.first || last != test.last {
				t.Errorf("the first pause is %v and the last %v, want %v and %v", first, last, test.first, test.last)
			}
			early := slices.IndexFunc(asked, func(at time.Duration) bool { return at > 2500*time.Millisecond })
			t.Logf("at most %v: %d answers of 503 until 2.5s, %d in a minute", test.longest, early, len(asked)-1)
		})
	}
}

func TestForStopsAtTheDeadline(t *testing.T) {
	for name, answer := range map[string]Answer{"refusing": refused, "answering": notReady, "hanging": {Timeout, "no answer in time", nil}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			err := For(ctx, Target{Name: "it", Prober: newScript(step{0, answer})}, Policy{})
			var timeout *TimeoutError
			if !errors.As(err, &timeout) {
				t.Fatalf("%s: error is %v, want a *TimeoutError", name, err)
			}
			if took := time.Since(began); took != time.Hour || timeout.After != time.Hour {
				t.Errorf("%s: ended after %v and says %v, want 1h", name, took, timeout.After)
			}
			if timeout.Last.Outcome != answer.Outcome || timeout.Probes[answer.Outcome] != timeout.Probes.Total() {
				t.Errorf("%s: last answer is %v, probes are %v", name, timeout.Last, timeout.Probes)
			}
			if text := err.Error(); !strings.HasPrefix(text, "it not ready after 1h0m0s and ") || !strings.HasSuffix(text, answer.Detail) {
				t.Errorf("%s: text is %q", name, text)
			}
		})
	}
}

// A probe that the deadline cuts short says less than the one before it.
func TestForKeepsTheLastCompleteAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(step{0, notReady}, step{4500 * time.Millisecond, Answer{Timeout, "no answer in time", nil}})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var timeout *TimeoutError
		if err := For(ctx, Target{Name: "it", Prober: s}, Policy{}); !errors.As(err, &timeout) || timeout.Last != notReady {
			t.Errorf("error is %v, want the 503 as its last answer", err)
		}
	})
}

func TestForLimitsAHangingProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(step{0, Answer{Timeout, "no answer in time", nil}}, step{4 * time.Second, ready})
		if err := For(t.Context(), Target{Name: "it", Prober: s}, Policy{Attempt: time.Second}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(s.began); took > 5*time.Second {
			t.Errorf("took %v, want four attempts of 1s", took)
		}
	})
}

func TestForReturnsTheCauseOfCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("SIGTERM")
		ctx, cancel := context.WithCancelCause(t.Context())
		began := time.Now()
		go func() {
			time.Sleep(777 * time.Millisecond)
			cancel(cause)
		}()
		if err := For(ctx, Target{Name: "it", Prober: newScript()}, Policy{}); err != cause {
			t.Errorf("error is %v, want %v", err, cause)
		}
		if took := time.Since(began); took != 777*time.Millisecond {
			t.Errorf("took %v, want 777ms", took)
		}
	})
}

func TestForObservesEveryProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(step{time.Second, notReady}, step{2 * time.Second, ready})
		var changes []Outcome
		events := 0
		policy := Policy{Observe: func(e Event) {
			events++
			if e.Changed {
				changes = append(changes, e.Answer.Outcome)
			}
		}}
		if err := For(t.Context(), Target{Name: "it", Prober: s}, policy); err != nil {
			t.Fatal(err)
		}
		if events != len(s.asked) || len(changes) != 3 || changes[0] != Refused || changes[1] != NotReady || changes[2] != Ready {
			t.Errorf("%d events for %d probes, with the changes %v", events, len(s.asked), changes)
		}
	})
}

// A target whose prober answers too late is not ready, whatever it answers.
func TestForIsNotReadyAfterTheEnd(t *testing.T) {
	cause := errors.New("SIGTERM")
	for _, end := range []error{context.DeadlineExceeded, cause} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if end == cause {
				stopped, stop := context.WithCancelCause(ctx)
				time.AfterFunc(time.Second, func() { stop(cause) })
				ctx = stopped
			}
			late := ProbeFunc(func(ctx context.Context) Answer {
				time.Sleep(3 * time.Second)
				return ready
			})
			observe := func(e Event) {
				if e.Answer.Outcome == Ready {
					t.Errorf("after %v it is ready", e.Waited)
				}
			}
			if err := For(ctx, Target{Name: "it", Prober: late}, Policy{Observe: observe}); !errors.Is(err, end) {
				t.Errorf("error is %v, want %v", err, end)
			}
		})
	}
}

// Whatever the policy, a wait is no busy loop, takes no negative pause and ends in time.
func TestForWithAnyPolicy(t *testing.T) {
	const most = 1000 + 1 // one each 10ms
	values := []time.Duration{-time.Second, 0, time.Nanosecond, math.MaxInt64}
	for i := range len(values) * len(values) * len(values) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			calls := map[string]int{}
			count := func(what string) {
				if calls[what]++; calls[what] > most {
					cancel()
				}
			}
			attempt := values[i/len(values)/len(values)]
			policy := Policy{
				Initial: values[i%len(values)], Max: values[i/len(values)%len(values)], Attempt: attempt, AbsentAfter: attempt,
				Observe:    func(Event) { count("probe") },
				redirected: func(context.Context) bool { count("check for absence"); return true },
			}
			began := time.Now()
			s := newScript()
			err := For(ctx, Target{Name: "istio", Prober: s, Knock: []Prober{s.port()}, Sidecar: &sidecars[0]}, policy)
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
				t.Errorf("%v, %v, %v: %v after %v, with %v", policy.Initial, policy.Max, attempt, err, took, calls)
			}
		})
	}
}

// A knock that hangs delays the next probe by one attempt at most.
func TestForLimitsAHangingKnock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := ProbeFunc(func(ctx context.Context) Answer {
			<-ctx.Done()
			return Answer{Timeout, "no answer in time", nil}
		})
		s := newScript(step{0, notReady}, step{time.Second, ready})
		policy := Policy{Initial: 500 * time.Millisecond, Attempt: time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := For(ctx, Target{Name: "it", Prober: s, EarlyKnock: []Prober{hanging}}, policy)
		if took := time.Since(s.began); err != nil || took > 1700*time.Millisecond {
			t.Errorf("%v after %v, want a pause and an attempt", err, took)
		}
	})
}

func TestForAbsent(t *testing.T) {
	never := func(context.Context) bool { return false }
	always := func(context.Context) bool { return true }
	cutShort := func(ctx context.Context) bool {
		<-ctx.Done()
		return false
	}
	atFirst := func() func(context.Context) bool {
		checks := 0
		return func(context.Context) bool {
			checks++
			return checks <= 2
		}
	}
	istio := &sidecars[0]
	for _, test := range []struct {
		name       string
		steps      []step // of the port that the probe asks
		early      []step // of the other port
		sidecar    *Sidecar
		redirected func(context.Context) bool
		want       error
		after      time.Duration
	}{
		{"silent", nil, nil, istio, never, ErrAbsent, 5 * time.Second},
		{"silent, but redirected", nil, nil, istio, always, context.DeadlineExceeded, time.Minute},
		{"silent, and redirected at first", nil, nil, istio, atFirst(), ErrAbsent, 15 * time.Second},
		{"silent, and no time to see whether it is redirected", nil, nil, istio, cutShort, context.DeadlineExceeded, time.Minute},
		{"silent, but not a sidecar", nil, nil, nil, never, context.DeadlineExceeded, time.Minute},
		{"the port answered once", []step{{time.Second, notReady}, {1500 * time.Millisecond, refused}}, nil, istio, never, context.DeadlineExceeded, time.Minute},
		{"the other port answers", nil, []step{{0, notReady}}, istio, never, context.DeadlineExceeded, time.Minute},
		{"comes up in time", []step{{4900 * time.Millisecond, notReady}, {30 * time.Second, ready}}, nil, istio, never, nil, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			probed, early := newScript(test.steps...), newScript(test.early...)
			target := Target{Name: "istio", Prober: probed, Knock: []Prober{probed.port()}, EarlyKnock: []Prober{early.port()}, Sidecar: test.sidecar}
			err := For(ctx, target, Policy{AbsentAfter: 5 * time.Second, redirected: test.redirected})
			took := time.Since(probed.began)
			if !errors.Is(err, test.want) || took < test.after || took > test.after+700*time.Millisecond {
				t.Errorf("%s: %v after %v, want %v after %v", test.name, err, took, test.want, test.after)
			}
		})
	}
}

// Whatever the target does, the wait ends at its deadline, succeeds only after a ready
// answer, and probes no more often than documented.
func TestForWithAnySchedule(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	answers := []Answer{refused, notReady, {Timeout, "no answer in time", nil}, {Failed, "connection reset", nil}, ready}
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
			var steps []step
			at := time.Duration(0)
			for range random.IntN(12) {
				steps = append(steps, step{at, answers[random.IntN(len(answers))]})
				at += upTo(5 * time.Second)
			}
			limit := time.Millisecond + upTo(30*time.Second)
			policy := Policy{Max: time.Millisecond + upTo(2*time.Second), Attempt: time.Millisecond + upTo(4*time.Second)}
			s := newScript(steps...)
			target := Target{Name: "it", Prober: s}
			if random.IntN(2) == 0 {
				target.Knock = []Prober{s.port()}
			}
			isReady := false
			policy.Observe = func(e Event) { isReady = e.Answer.Outcome == Ready }
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			err := For(ctx, target, policy)
			took := time.Since(s.began)
			if took > limit || (err == nil) != isReady || err != nil && took < limit {
				t.Errorf("seed %d: %v after %v of %v, ready %v, steps %v", seed, err, took, limit, isReady, steps)
			}
			least := min(policy.Max, 10*time.Millisecond)
			if most := int(took/least) + 2*len(steps) + 2; len(s.asked) > most {
				t.Errorf("seed %d: %d probes in %v, at most %d expected", seed, len(s.asked), took, most)
			}
		})
	}
}
