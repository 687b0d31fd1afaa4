package exec

// This file tests which signals are caught.

import (
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What is left to Go at the hand-over must have an effect there.
func TestDroppedByGo(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT} {
		if dropped := droppedByGo(Ending()); slices.Contains(dropped, os.Signal(sig)) {
			t.Errorf("%s is included", SignalName(sig))
		}
	}
}

// A signal that the process was started with as blocked is for the program.
func TestEndingLeavesOutBlockedSignals(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := signalSet(unix.SIGUSR1)
	defer func() { _ = unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil) }()
	for how, included := range map[int]bool{unix.SIG_BLOCK: false, unix.SIG_UNBLOCK: true} {
		if err := unix.PthreadSigmask(how, &set, nil); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(Ending(), unix.SIGUSR1) != included {
			t.Errorf("USR1 is included: %v", !included)
		}
	}
}

// Replace keeps most signals caught until execve. What has arrived by then counts.
func TestStopWithSignalsThatAreKept(t *testing.T) {
	s := catch(t, syscall.SIGUSR1, syscall.SIGTERM)
	send(t, s, syscall.SIGUSR1)
	wantSignal(t, s.stop(syscall.SIGUSR1), syscall.SIGUSR1)
	defer signal.Reset(syscall.SIGUSR1)
	raise(t, syscall.SIGUSR1)
	wantNothingPending(t, s)
}
