//go:build linux

package tests

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// unblocked are the signals that Go's runtime (1.26) takes out of the inherited
// mask of every thread before any Go code runs, the first one included: those
// that end a Go program, its own (URG) and the C libraries' (32 to 34).
var unblocked = []syscall.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE,
	unix.SIGSEGV, unix.SIGTERM, unix.SIGSTKFLT, unix.SIGCHLD, unix.SIGURG, unix.SIGPROF, unix.SIGSYS, 32, 33, 34,
}

// keptIgnored are the signals that stay ignored; for all others Go's runtime
// installs a handler, which execve makes default.
var keptIgnored = []syscall.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, 32, 34,
}

// everySignal is all that can be blocked and ignored.
func everySignal() []syscall.Signal {
	var all []syscall.Signal
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		if sig != unix.SIGKILL && sig != unix.SIGSTOP {
			all = append(all, sig)
		}
	}
	return all
}

// maskOf writes a set of signals as /proc/self/status does.
func maskOf(signals []syscall.Signal) string {
	var mask uint64
	for _, sig := range signals {
		mask |= 1 << (sig - 1)
	}
	return fmt.Sprintf("%016x", mask)
}

// without returns the signals that are not in the others.
func without(signals, others []syscall.Signal) []syscall.Signal {
	return slices.DeleteFunc(slices.Clone(signals), func(sig syscall.Signal) bool { return slices.Contains(others, sig) })
}

// each is the launcher's words to do the same with each signal.
func each(what string, signals []syscall.Signal) []string {
	var states []string
	for _, sig := range signals {
		states = set(states, what, int(sig))
	}
	return states
}

// R7. The limit is the list above.
func TestReplaceKeepsSignalMask(t *testing.T) {
	s := newStage(t)
	kept := without(everySignal(), unblocked)
	odd{name: "all that Go keeps", states: each("block", kept), shows: "SigBlk", value: maskOf(kept)}.test(s)
	odd{name: "none", shows: "SigBlk", value: maskOf(nil)}.test(s)
	t.Run("limit", func(t *testing.T) {
		limit := func(want sight) { want["SigBlk"] = maskOf(kept) }
		s.in(t).same(start{states: each("block", everySignal())}, limit).shows(t, "SigBlk", maskOf(everySignal()))
	})
}

// R7. What the launcher left pending, with its data and in its order, and nothing
// of startgate's own.
func TestReplaceKeepsPendingSignals(t *testing.T) {
	s := newStage(t)
	states := set(each("block", []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, 40, 64}),
		"queue", 40, 7, "queue", 40, 9, "queue", 40, 8, "raise", 40, "queue", 64, -1,
		"raise", int(unix.SIGUSR1), "kill", int(unix.SIGUSR1), "kill", int(unix.SIGUSR2))
	saw := s.same(start{states: states})
	saw.shows(t, "pending 07", "64 code -1 value -1")
	saw.shows(t, "SigPnd", maskOf([]syscall.Signal{unix.SIGUSR1, 40}))
	saw.shows(t, "ShdPnd", maskOf([]syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, 40, 64}))

	t.Run("limit", func(t *testing.T) {
		// Unblocked before Go's handlers are there, they have their default effect.
		s := s.in(t)
		for sig, ends := range map[syscall.Signal]bool{unix.SIGTERM: true, unix.SIGINT: true, unix.SIGCHLD: false, unix.SIGURG: false} {
			a := start{states: set("block", int(sig), "kill", int(sig))}
			s.sees(a).shows(t, "pending 00", strconv.Itoa(int(sig))+" ")
			if !ends {
				s.same(a, func(want sight) {
					delete(want, "pending 00")
					want["ShdPnd"], want["SigBlk"] = maskOf(nil), maskOf(nil)
				})
				continue
			}
			cmd := s.command(a, binary, "--")
			_ = cmd.Run()
			if got := cmd.ProcessState.Sys().(syscall.WaitStatus); !got.Signaled() || got.Signal() != sig {
				t.Errorf("pending %v: ended with %v, want to be ended by it", sig, cmd.ProcessState)
			}
		}
	})
}

// R8. The limit is that only the list above stays ignored.
func TestReplaceKeepsIgnoredSignals(t *testing.T) {
	s := newStage(t)
	odd{name: "HUP", states: each("ignore", []syscall.Signal{unix.SIGHUP}), shows: "SigIgn", value: maskOf([]syscall.Signal{unix.SIGHUP})}.test(s)
	odd{name: "INT", states: each("ignore", []syscall.Signal{unix.SIGINT}), shows: "SigIgn", value: maskOf([]syscall.Signal{unix.SIGINT})}.test(s)
	odd{name: "all that Go keeps", states: each("ignore", keptIgnored), shows: "SigIgn", value: maskOf(keptIgnored)}.test(s)
	t.Run("limit", func(t *testing.T) {
		limit := func(want sight) { want["SigIgn"] = maskOf(keptIgnored) }
		s.in(t).same(start{states: each("ignore", everySignal())}, limit).shows(t, "SigIgn", maskOf(everySignal()))
	})
}

// R8. nohup and a shell's background job: what they ignore does not end the wait
// either, and is still ignored after it.
func TestIgnoredSignalsDoNotEndTheWait(t *testing.T) {
	s := newStage(t)
	ignored := []syscall.Signal{unix.SIGHUP, unix.SIGINT}
	gate := newGated(t)
	cmd := s.command(start{states: each("ignore", ignored), env: gate.env()}, binary, "--")
	log := s.starts(cmd)
	log.until(t, "waiting for")
	for _, sig := range ignored {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	gate.asked(t) // once more, after the signals
	gate.open()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	text, err := os.ReadFile(s.seen())
	if err != nil {
		t.Fatal(err)
	}
	sightOf(text).shows(t, "SigIgn", maskOf(ignored))
}

// The limit of "no signal is lost": those that startgate does not catch, Go's
// runtime does, and drops. They neither end the wait nor reach the program.
func TestOtherSignalsAreDroppedWhileWaiting(t *testing.T) {
	s := newStage(t)
	gate := newGated(t)
	cmd := s.command(start{env: gate.env()}, binary, "--")
	log := s.starts(cmd)
	log.until(t, "waiting for")
	for _, sig := range []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM, unix.SIGXCPU, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR, 40, 64} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	gate.asked(t)
	gate.open()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	text, err := os.ReadFile(s.seen())
	if err != nil {
		t.Fatal(err)
	}
	sightOf(text).shows(t, "ShdPnd", maskOf(nil))
}
