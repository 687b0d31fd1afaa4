//go:build linux

package tests

// R7 and R8: blocked, pending and ignored signals stay.

import (
	"fmt"
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
		states = words(states, what, int(sig))
	}
	return states
}

// R7: the limit is the list above.
func TestReplaceKeepsSignalMask(t *testing.T) {
	s := newComparison(t)
	kept := without(everySignal(), unblocked)
	processState{name: "all that Go keeps", states: each("block", kept), shows: "SigBlk", value: maskOf(kept)}.test(s)
	processState{name: "none", shows: "SigBlk", value: maskOf(nil)}.test(s)
	t.Run("limit", func(t *testing.T) {
		limit := func(want snapshot) { want["SigBlk"] = maskOf(kept) }
		s.in(t).same(launch{states: each("block", everySignal())}, limit).shows(t, "SigBlk", maskOf(everySignal()))
	})
}

// R7: what the launcher left pending, with its data and in its order, and nothing
// of startgate's own.
func TestReplaceKeepsPendingSignals(t *testing.T) {
	s := newComparison(t)
	states := words(each("block", []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, 40, 64}),
		"queue", 40, 7, "queue", 40, 9, "queue", 40, 8, "raise", 40, "queue", 64, -1,
		"raise", int(unix.SIGUSR1), "kill", int(unix.SIGUSR1), "kill", int(unix.SIGUSR2))
	saw := s.same(launch{states: states})
	saw.shows(t, "pending 07", "64 code -1 value -1")
	saw.shows(t, "SigPnd", maskOf([]syscall.Signal{unix.SIGUSR1, 40}))
	saw.shows(t, "ShdPnd", maskOf([]syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, 40, 64}))

	t.Run("limit", func(t *testing.T) {
		// Unblocked before Go's handlers are there, they have their default effect.
		s := s.in(t)
		for sig, ends := range map[syscall.Signal]bool{unix.SIGTERM: true, unix.SIGINT: true, unix.SIGCHLD: false, unix.SIGURG: false} {
			a := launch{states: words("block", int(sig), "kill", int(sig))}
			s.sees(a).shows(t, "pending 00", strconv.Itoa(int(sig))+" ")
			if !ends {
				s.same(a, func(want snapshot) {
					delete(want, "pending 00")
					want["ShdPnd"], want["SigBlk"] = maskOf(nil), maskOf(nil)
				})
				continue
			}
			p := start(t, s.command(a, binary, "--"))
			if got := p.end(); !got.Signaled() || got.Signal() != sig {
				p.Errorf("pending %v has not ended it", sig)
			}
		}
	})
}

// R8: the limit is that only the list above stays ignored.
func TestReplaceKeepsIgnoredSignals(t *testing.T) {
	s := newComparison(t)
	processState{name: "HUP", states: each("ignore", []syscall.Signal{unix.SIGHUP}), shows: "SigIgn", value: maskOf([]syscall.Signal{unix.SIGHUP})}.test(s)
	processState{name: "INT", states: each("ignore", []syscall.Signal{unix.SIGINT}), shows: "SigIgn", value: maskOf([]syscall.Signal{unix.SIGINT})}.test(s)
	processState{name: "all that Go keeps", states: each("ignore", keptIgnored), shows: "SigIgn", value: maskOf(keptIgnored)}.test(s)
	t.Run("limit", func(t *testing.T) {
		limit := func(want snapshot) { want["SigIgn"] = maskOf(keptIgnored) }
		s.in(t).same(launch{states: each("ignore", everySignal())}, limit).shows(t, "SigIgn", maskOf(everySignal()))
	})
}

// R8: nohup and a shell's background job: what they ignore does not end the wait
// either, and is still ignored after it.
func TestIgnoredSignalsDoNotEndTheWait(t *testing.T) {
	s := newComparison(t)
	ignored := []syscall.Signal{unix.SIGHUP, unix.SIGINT}
	s.waitsThrough(ignored, launch{states: each("ignore", ignored)}).shows(t, "SigIgn", maskOf(ignored))
}

// waitsThrough sends startgate signals while it waits, which must not end that, and
// returns what the recorder sees then.
func (s *comparison) waitsThrough(signals []syscall.Signal, a launch) snapshot {
	s.Helper()
	target := startSidecar(s, "")
	a.env = environ(target.settings()...)
	p := start(s, s.withPipes(a, binary, "--"))
	p.untilLog("waiting for")
	for _, sig := range signals {
		p.send(sig)
	}
	target.untilAskedAgain()
	target.getReady(0)
	p.ends(0)
	return s.recorded()
}
