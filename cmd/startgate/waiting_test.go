package main

// These tests cover the lines that say how a wait goes.

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/startgate/startgate/wait"
)

// A progress line with a hint once read, without a lock, what each probe writes: a
// race that Go may end the program for. Only go test -race sees it.
func TestProgressAndProbesShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := wait.ProbeFunc(func(context.Context) wait.Answer { return wait.Answer{Outcome: wait.NotReady} })
		g := &gate{
			log:      newLog(io.Discard, settings{}),
			settings: settings{Timeout: duration(time.Hour), BackoffMax: positiveDuration(time.Second), AttemptTimeout: positiveDuration(time.Second)},
			plan:     plan{targets: []wait.Target{{Name: "never", Prober: never}}},
		}
		if err := g.waitForAll(t.Context()); exitCode(err) != codeTimeout || !g.answered["never"] {
			t.Errorf("error is %v, and it had answered: %t", err, g.answered["never"])
		}
	})
}

// A wait that ended while a hint was looked for was once told to go on, after the
// line that it is over, and with a hint that was no longer true.
func TestNoProgressAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := wait.ProbeFunc(func(ctx context.Context) wait.Answer {
			<-ctx.Done()
			return wait.Answer{Outcome: wait.Failed}
		})
		var log bytes.Buffer
		p := &progress{
			gate: &gate{log: newLog(&log, settings{})}, began: time.Now(),
			last:   wait.Answer{Outcome: wait.Refused},
			target: wait.Target{Sidecar: &wait.Sidecar{EarlyKnock: "localhost:15021"}, EarlyKnock: []wait.Prober{slow}},
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(hintAfter+100*time.Millisecond, cancel)
		p.logMilestones(ctx)
		if strings.Contains(log.String(), "after 10s") {
			t.Errorf("the wait is over, and the log says\n%s", log.String())
		}
	})
}

// A line that says that the wait goes on once ended with a colon, when no probe had
// answered before it.
func TestProgressBeforeTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &progress{gate: &gate{log: newLog(&log, settings{})}, began: time.Now(), target: wait.Target{Name: "slow"}}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		p.logMilestones(ctx)
		if !strings.Contains(log.String(), `msg="still waiting for slow after 1s" logger=startgate event=still_waiting target=slow answer="no answer yet"`) {
			t.Errorf("the log says\n%s", log.String())
		}
	})
}

// In text a count of probes that timed out once had the key of the setting: timeout=5.
func TestCountsHaveKeysOfTheirOwn(t *testing.T) {
	var probes wait.Counts
	for i := range probes {
		probes[i] = 1
	}
	attrs := targetStats{name: "redis", probes: probes}.attrs()
	for i := 0; i < len(attrs); i += 2 {
		if attrs[i] == "timeout" {
			t.Errorf("the key timeout, which is the setting, has %v", attrs[i+1])
		}
	}
}

// The message said 1m0s where its key elapsed says 1m.
func TestProgressWritesTimesAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &progress{
			gate: &gate{log: newLog(&log, settings{})}, began: time.Now(),
			target: wait.Target{Name: "tcp://db:1"},
			last:   wait.Answer{Outcome: wait.Timeout, Detail: "no answer"},
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(61*time.Second, cancel)
		p.logMilestones(ctx)
		if !strings.Contains(log.String(), `after 1m"`) || !strings.Contains(log.String(), "elapsed=1m ") {
			t.Errorf("the log says\n%s", log.String())
		}
	})
}

// A line of text once had the answer in its message, and again in its key.
func TestAnswerStandsOnceInText(t *testing.T) {
	for format, want := range map[logFormat]string{
		"text":     `msg="db is not ready yet" logger=startgate event=answer_changed target=db answer="PING db: LOADING"`,
		formatJSON: `"message":"db is not ready yet: PING db: LOADING","logger":"startgate","event":"answer_changed","target":"db","answer":"PING db: LOADING"}`,
	} {
		var log bytes.Buffer
		p := &progress{gate: &gate{log: newLog(&log, settings{LogFormat: format})}, target: wait.Target{Name: "db"}}
		p.observe(wait.Event{Answer: wait.Answer{Outcome: wait.NotReady, Detail: "PING db: LOADING"}, Changed: true})
		if line := strings.Replace(log.String(), `,"elapsed_seconds":0`, "", 1); !strings.Contains(line, want) {
			t.Errorf("%s: %s, want %s", format, &log, want)
		}
	}
}
