package exec

// This file tests the lists of signals to forward.

import (
	"slices"
	"syscall"
	"testing"
)

// What a signal of the terminal, or of startgate's own log, does while it waits is
// not for the program.
func TestForwardableBeforeStart(t *testing.T) {
	early := ForwardableBeforeStart()
	for _, sig := range Forwardable() {
		left := sig == syscall.SIGPIPE || slices.Contains(jobControl, sig)
		if slices.Contains(early, sig) == left {
			t.Errorf("%s: is included: %v", SignalName(sig), !left)
		}
	}
}
