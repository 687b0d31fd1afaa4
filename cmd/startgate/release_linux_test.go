package main

import (
	"context"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// A wait that was stopped (SIGSTOP) was "context deadline exceeded", with the exit code of a
// target that was not ready.
func TestReleaseOfAWaitThatDoesNotAnswer(t *testing.T) {
	listenForRelease(t)
	for _, limit := range []time.Duration{10 * time.Millisecond, 0} { // 0: the connection is late too
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if err := releasePID(ctx, os.Getpid()); err == nil || err.Error() != "it does not answer" || exitCode(err) != codeFailed {
			t.Errorf("error is %v, exit code %d", err, exitCode(err))
		}
	}
}

// A wait that is being released is one wait, although the kernel lists its connection too.
func TestWaitsAreListedOnce(t *testing.T) {
	listener := listenForRelease(t)
	conn, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	pids, err := waits() // other tests may have theirs
	isOther := func(pid int) bool { return pid != os.Getpid() }
	if own := slices.DeleteFunc(pids, isOther); err != nil || len(own) != 1 {
		t.Errorf("waits() has %v of this process, %v", own, err)
	}
}

// listenForRelease listens as a wait of this process does.
func listenForRelease(t *testing.T) net.Listener {
	t.Helper()
	name, err := releaseSocket()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", name+strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}
