package exec

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

// The PIPE of one's own writing is not caught; one from outside is.
func TestWithoutWriteSignals(t *testing.T) {
	s := catch(t, syscall.SIGPIPE)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	WithoutWriteSignals(func() {
		if _, err := w.WriteString("x"); err == nil {
			t.Error("the write did not fail")
		}
	})
	s.CatchMore(syscall.SIGUSR1)
	send(t, s, syscall.SIGUSR1) // after which none is on its way
	if n := len(s.arrived); n != 1 {
		t.Errorf("caught %d signals, want only USR1", n)
	}
	send(t, s, syscall.SIGPIPE)
}

func TestEarlyLeavesOutWhatIsForTheWaitItself(t *testing.T) {
	early := ForwardableBeforeStart()
	for _, sig := range Forwardable() {
		left := sig == syscall.SIGPIPE || slices.Contains(jobControl, sig)
		if slices.Contains(early, sig) == left {
			t.Errorf("%s: is early %v", SignalName(sig), !left)
		}
	}
}
