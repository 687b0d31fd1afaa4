package exec

// This file tests the lists of signals to forward.

import (
	"slices"
	"syscall"
	"testing"
)

// PIPE and job control are for the calling process until the program starts.
func TestForwardableBeforeStart(t *testing.T) {
	early := ForwardableBeforeStart()
	for _, sig := range Forwardable() {
		skipped := sig == syscall.SIGPIPE || slices.Contains(jobControl, sig)
		if slices.Contains(early, sig) == skipped {
			t.Errorf("%s is included: %v", SignalName(sig), skipped)
		}
	}
}
