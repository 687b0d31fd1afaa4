package exec

// This file tests the wait for signal handlers before a hand-over.

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// AllThreadsSyscall, which did the waiting once, never came back here.
func TestAwaitHandlersWithoutPendingSignals(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_SIGPENDING, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_SIGPENDING, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_SIGPENDING, &limit) }()
	returnsSoon(t)
}

// A thread that takes no signal, as one that the kernel holds, does not hold it up.
func TestAwaitHandlersBesideAThreadThatIsHeld(t *testing.T) {
	blocked, release := make(chan int), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		urg := signalSet(unix.SIGURG)
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &urg, nil); err != nil {
			t.Error(err)
		}
		blocked <- unix.Gettid()
		<-release
	}()
	thread := <-blocked
	defer close(release)
	returnsSoon(t)
	if !isPending(thread, unix.SIGURG) {
		t.Error("the thread took the signal, so this shows nothing")
	}
}

func returnsSoon(t *testing.T) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		awaitHandlers()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not return")
	}
}
