package exec

// This file tests how children are asked for and reaped.

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stoppedChild starts a child and stops it. The stop is not taken.
func stoppedChild(t *testing.T) (pid int) {
	t.Helper()
	pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, 0, nil)
	})
	changes(t, pid, unix.SIGSTOP, unix.WSTOPPED)
	return pid
}

// changes sends a child a signal, and returns when the kernel reports the change.
func changes(t *testing.T, pid int, sig syscall.Signal, change int) {
	t.Helper()
	if err := unix.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
	if _, err := waitid(oneChild, pid, change|unix.WNOWAIT); err != nil {
		t.Fatal(err)
	}
}

// A child whose stop was reported may be continued or killed before the stop is taken.
// Killing was once taken for a waitid that the system does not permit.
func TestStopThatHasEnded(t *testing.T) {
	pid := stoppedChild(t)
	if sig, err := takeStop(pid); sig != unix.SIGSTOP || err != nil {
		t.Errorf("stopped: %v, error %v", sig, err)
	}
	for name, end := range map[string]struct {
		sig    syscall.Signal
		change int
	}{
		"continued": {unix.SIGCONT, unix.WCONTINUED},
		"killed":    {unix.SIGKILL, unix.WEXITED},
	} {
		pid := stoppedChild(t)
		changes(t, pid, end.sig, end.change)
		if sig, err := takeStop(pid); sig != 0 || err != nil {
			t.Errorf("%s: %v, error %v", name, sig, err)
		}
	}
}

// Also what had ended before; and nothing is taken afterwards.
func TestReap(t *testing.T) {
	begin := func() (pid int) {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	before := begin()
	if _, err := waitid(oneChild, before, unix.WEXITED|unix.WNOWAIT); err != nil {
		t.Fatal(err)
	}
	stop := Reap()
	for _, pid := range []int{before, begin()} {
		for deadline := time.Now().Add(time.Minute); unix.Kill(pid, 0) != unix.ESRCH; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("not reaped")
			}
		}
	}
	stop()
	if pid, err := unix.Wait4(begin(), nil, 0, nil); err != nil {
		t.Errorf("the status of %d was taken: %v", pid, err)
	}
}
