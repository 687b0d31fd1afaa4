//go:build linux

package tests

// R12: no signal is lost, at whatever moment of the start it comes.

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// moments returns how often a test tries, n times TEST_MOMENTS; fewer with -short.
func moments(t *testing.T, n int) int {
	t.Helper()
	if testing.Short() {
		return min(n, max(n/10, 16))
	}
	text := os.Getenv("TEST_MOMENTS")
	if text == "" {
		return n
	}
	times, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("TEST_MOMENTS=%q: %v", text, err)
	}
	return n * times
}

// sweep tries at n moments of a span, and then at others, of longer and of shorter
// spans in turn, until they have covered what the test is about: how long a start takes
// depends on how busy the machine is.
func sweep(t *testing.T, span time.Duration, n int, try func(after time.Duration), covered func() bool) {
	t.Helper()
	for round := range 16 {
		within := span << (round / 2)
		if round%2 == 1 {
			within = span >> (round/2 + 1)
		}
		for i := range n {
			try(time.Duration((float64(i) + rand.Float64()) * float64(within) / float64(n)))
		}
		if covered() || t.Failed() {
			return
		}
	}
	t.Fatal("the moments do not cover the start")
}

// holding tries with execve held back for so long, and then for longer: on a busy
// machine the moments may have been others than the test means.
func holding(t *testing.T, hold time.Duration, try func(hold time.Duration) error) {
	t.Helper()
	for ; ; hold *= 4 {
		err := try(hold)
		switch {
		case err == nil:
			return
		case hold > time.Second:
			t.Fatal(err)
		}
		t.Logf("held back for %v: %v", hold, err)
	}
}

// signalOutcome is what became of a signal.
type signalOutcome string

const (
	killed   signalOutcome = "ended startgate by its default effect"
	caughtIt signalOutcome = "ended the wait, 128+n"
	reached  signalOutcome = "reached the application"
	crashed  signalOutcome = "ended Go's runtime, code 2"
	lost     signalOutcome = "was lost"
)

// outcomeOf waits for the end, and returns what became of a signal that was sent.
func (p *process) outcomeOf(sig syscall.Signal) signalOutcome {
	p.Helper()
	status := p.end()
	switch {
	case status.Signaled() && status.Signal() == sig:
		return killed
	case status.ExitStatus() == 128+int(sig):
		return caughtIt
	case status.ExitStatus() == 40 && strings.HasSuffix(p.out.String(), "got "+strconv.Itoa(int(sig))+"\n"):
		return reached
	case status.ExitStatus() == 2:
		return crashed
	}
	return lost
}

// spin waits precisely: a timer is late by more than what is tested here.
func spin(d time.Duration) {
	if d > 2*time.Millisecond {
		time.Sleep(d - time.Millisecond)
		d = time.Millisecond
	}
	for began := time.Now(); time.Since(began) < d; {
	}
}

// R12: not as PID 1. A signal at any moment of the start has an effect.
func TestNoSignalIsLost(t *testing.T) {
	recorder := program(t, "recorder")
	ready := []string{"WAIT_FOR=" + startReady(t, "").url()}
	never := append(startSidecar(t, "").settings(), "TIMEOUT=10s")
	// From the start until the application is ready, at its slowest of five.
	span := min(slowestOf(5, func() { startGate(t, ready, recorder, "handle", "1").end() }), 20*time.Millisecond)
	for _, test := range []struct {
		name     string
		settings []string
		sig      syscall.Signal
		n        int
	}{
		{"TERM, target ready", ready, unix.SIGTERM, 300},
		{"TERM, target never ready", never, unix.SIGTERM, 200},
		{"INT, target ready", ready, unix.SIGINT, 100},
		{"HUP, target ready", ready, unix.SIGHUP, 100},
		{"QUIT, target ready", ready, unix.SIGQUIT, 200},
		{"QUIT, target never ready", never, unix.SIGQUIT, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			count := map[signalOutcome]int{}
			sweep(t, span, moments(t, test.n), func(after time.Duration) {
				p := startGate(t, test.settings, recorder, "handle", "10000")
				spin(after)
				p.send(test.sig)
				outcome := p.outcomeOf(test.sig)
				if count[outcome]++; !permitted(test.sig, outcome, p.log.String()) {
					p.Errorf("sent after %v: %s", after, outcome)
				}
				if count[lost] > 3 {
					t.Fatalf("%v, and so on", count)
				}
			}, func() bool {
				return count[caughtIt] > 0 && (count[reached] > 0 || &test.settings[0] == &never[0])
			})
			t.Log(count)
		})
	}
}

// slowestOf returns how long something takes at its slowest of n.
func slowestOf(n int, do func()) (span time.Duration) {
	for range n {
		began := time.Now()
		do()
		span = max(span, time.Since(began))
	}
	return span
}

// permitted reports whether that may become of a signal to a process that is not
// PID 1. A QUIT makes Go's runtime print its stacks and end with 2 until an init
// function of package main has run: a limit, and no more than that.
func permitted(sig syscall.Signal, what signalOutcome, stderr string) bool {
	if what == crashed && sig == unix.SIGQUIT {
		return !strings.Contains(stderr, "main.main(") && !strings.Contains(stderr, "main.(*")
	}
	return (what == killed || what == caughtIt || what == reached) && !strings.Contains(stderr, "goroutine ")
}

// R12: with the moment of the hand-over made long: strace holds execve back, before
// and after the kernel has done it. The moments leave out the end of the hold, in
// which the kernel ends the other threads: one that is traced may take the signal
// with it. Of one that is not traced, the kernel sees to it in complete_signal.
func TestNoSignalIsLostInExecve(t *testing.T) {
	need(t, "strace")
	s := newComparison(t)
	for _, where := range []string{"delay_enter", "delay_exit"} {
		for _, sig := range theEnding {
			t.Run(where+" "+unix.SignalName(sig), func(t *testing.T) {
				t.Parallel()
				holding(t, 60*time.Millisecond, func(hold time.Duration) error {
					return s.in(t).signalInExecve(sig, where, hold)
				})
			})
		}
	}
}

func (s *comparison) signalInExecve(sig syscall.Signal, where string, hold time.Duration) error {
	count, n := map[signalOutcome]int{}, moments(s.T, 8)
	for i := range n {
		after := hold * time.Duration(i) / time.Duration(n)
		if i >= n/2 {
			after += hold
		}
		p := start(s, s.withPipes(s.held(where, hold), binary, "--"))
		p.untilLog("starting")
		spin(after)
		for _, pid := range childrenOf(s, p.pid()) {
			_ = syscall.Kill(pid, sig)
		}
		outcome := p.outcomeOf(sig)
		if count[outcome]++; !permitted(sig, outcome, p.log.String()) {
			return fmt.Errorf("sent %v after the last line: %s\n%s", after, outcome, p)
		}
	}
	s.Logf("of %d within %v: %v", n, 2*hold, count)
	if count[reached] == 0 || count[killed]+count[caughtIt] <= n/4 {
		return fmt.Errorf("the moments did not cover execve, or strace did not hold it back: %v", count)
	}
	return nil
}

// held starts the application that handles signals under strace, which holds back its
// execve, and no other.
func (s *comparison) held(where string, hold time.Duration) launch {
	s.Helper()
	application := s.link("application") // under a path of its own
	return launch{as: straced(application, where, hold), program: []string{application, "handle", "10000"}}
}

// straced is a command that starts another under strace, which holds back the execve
// of this file.
func straced(file, where string, hold time.Duration) []string {
	return []string{
		"strace", "-f", "-qq", "-o", "/dev/null", "-P", file, "-e", "trace=execve",
		"-e", fmt.Sprintf("inject=execve:%s=%d", where, hold.Microseconds()),
	}
}
