package exec

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"
)

// catch is Catch for a test.
func catch(t *testing.T, signals ...syscall.Signal) *Signals {
	t.Helper()
	s := Catch(signals...)
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// send sends a signal to this process and waits until it has been caught.
func send(t *testing.T, s *Signals, sig syscall.Signal) {
	t.Helper()
	had := len(s.arrived)
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(s.arrived) == had; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s was not caught", SignalName(sig))
		}
	}
}

func wantSignal(t *testing.T, err error, want syscall.Signal) {
	t.Helper()
	var end *SignalError
	if !errors.As(err, &end) || end.Signal != want {
		t.Errorf("got %v, want %s", err, SignalName(want))
	}
}

func TestContextEndsOnASignal(t *testing.T) {
	s := catch(t, syscall.SIGUSR1, syscall.SIGUSR2)
	ctx, stop := s.Context(t.Context())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	wantSignal(t, context.Cause(ctx), syscall.SIGUSR2)
}

func TestContextEndsOnASignalThatCameBefore(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	send(t, s, syscall.SIGUSR1)
	ctx, stop := s.Context(t.Context())
	defer stop()
	<-ctx.Done()
	wantSignal(t, context.Cause(ctx), syscall.SIGUSR1)
}

// A signal ends one context: the next ends by the next signal.
func TestContextEndsOncePerSignal(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	send(t, s, syscall.SIGUSR1)
	ctx, stop := s.Context(t.Context())
	<-ctx.Done()
	stop()
	ctx, stop = s.Context(t.Context())
	defer stop()
	if err := ctx.Err(); err != nil {
		t.Errorf("the next context has ended as well: %v", context.Cause(ctx))
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	wantSignal(t, context.Cause(ctx), syscall.SIGUSR1)
}

func TestContextEndsWithItsParent(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	why := errors.New("why")
	parent, cancel := context.WithCancelCause(t.Context())
	ctx, stop := s.Context(parent)
	cancel(why)
	<-ctx.Done()
	if context.Cause(ctx) != why {
		t.Errorf("cause is %v", context.Cause(ctx))
	}
	stop()
	if err := s.Stop(); err != nil {
		t.Errorf("Stop without a signal = %v", err)
	}
}

// The signal and the end of the parent come together, in either order: it is
// never lost.
func TestSignalThatIsTooLateForItsContextIsKept(t *testing.T) {
	for range 200 {
		s := &Signals{arrived: make(chan os.Signal, 1), ending: []syscall.Signal{syscall.SIGTERM}}
		parent, cancel := context.WithCancel(t.Context())
		ctx, stop := s.Context(parent)
		go cancel()
		s.arrived <- syscall.SIGTERM
		<-ctx.Done()
		stop()
		wantSignal(t, s.Stop(), syscall.SIGTERM)
	}
}

// A program may ask a context for the last time before a signal ends it, and go on
// to hand over. That lost one TERM in a hundred.
func TestStopReturnsASignalThatAContextWasTold(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	ctx, stop := s.Context(t.Context())
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	stop()
	wantSignal(t, s.Stop(), syscall.SIGUSR1)
}

func TestStopReturnsWhatArrived(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	send(t, s, syscall.SIGUSR1)
	wantSignal(t, s.Stop(), syscall.SIGUSR1)
}

func TestSignalsOfNothing(t *testing.T) {
	var s *Signals
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestCatchLeavesIgnoredSignalsAlone(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	catch(t, syscall.SIGHUP)
	if !signal.Ignored(syscall.SIGHUP) {
		t.Error("HUP is no longer ignored")
	}
}

func TestSignalName(t *testing.T) {
	for sig, want := range map[syscall.Signal]string{syscall.SIGTERM: "SIGTERM", syscall.SIGWINCH: "SIGWINCH", 40: "signal 40"} {
		if got := SignalName(sig); got != want {
			t.Errorf("SignalName(%d) = %q, want %q", int(sig), got, want)
		}
	}
	err := &SignalError{syscall.SIGTERM}
	if err.Code() != 143 || err.Error() != "ended by SIGTERM" {
		t.Errorf("TERM: code %d, %v", err.Code(), err)
	}
}

// What is caught already is not caught once more, which takes time and changes nothing.
func TestAlsoTwice(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	s.CatchMore(syscall.SIGUSR2, syscall.SIGUSR1)
	s.CatchMore(syscall.SIGUSR2)
	if want := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2}; !slices.Equal(s.caught(), want) {
		t.Errorf("caught are %v, want %v", s.caught(), want)
	}
	send(t, s, syscall.SIGUSR2)
	if n := len(s.arrived); n != 1 {
		t.Errorf("USR2 arrived %d times", n)
	}
}
