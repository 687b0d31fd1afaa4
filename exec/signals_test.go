package exec

// This file tests that each signal is caught, and reported exactly once.

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

// catch is Catch, until the end of the test.
func catch(t *testing.T, signals ...syscall.Signal) *Signals {
	t.Helper()
	s := Catch(signals...)
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// raise sends a signal to this process.
func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Error(err)
	}
}

// next returns the next signal that s has caught and not read, and waits for it.
func next(t *testing.T, s *Signals) syscall.Signal {
	t.Helper()
	select {
	case sig := <-s.arrived:
		return sig.(syscall.Signal)
	case <-time.After(10 * time.Second):
		t.Fatal("no signal was caught")
		return 0
	}
}

// send sends a signal to this process and waits until it has been caught.
func send(t *testing.T, s *Signals, sig syscall.Signal) {
	t.Helper()
	had := len(s.arrived)
	raise(t, sig)
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

// untilDone is a function for Do that runs until its context is cancelled.
func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestDoIsInterruptedByASignal(t *testing.T) {
	s := catch(t, syscall.SIGUSR1, syscall.SIGUSR2)
	wantSignal(t, s.Do(t.Context(), func(ctx context.Context) error {
		raise(t, syscall.SIGUSR2)
		return untilDone(ctx)
	}), syscall.SIGUSR2)
}

func TestDoIsInterruptedByAnEarlierSignal(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	send(t, s, syscall.SIGUSR1)
	wantSignal(t, s.Do(t.Context(), func(ctx context.Context) error {
		if ctx.Err() == nil {
			t.Error("the context is not cancelled when f starts")
		}
		return untilDone(ctx)
	}), syscall.SIGUSR1)
}

// A signal after f had last checked its context was once lost, in one of a hundred
// tries: startgate went on and handed over.
func TestDoReturnsALateSignal(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	wantSignal(t, s.Do(t.Context(), func(ctx context.Context) error {
		raise(t, syscall.SIGUSR1)
		<-ctx.Done()
		return nil
	}), syscall.SIGUSR1)
	wantNothingPending(t, s)
}

// A signal may be even later, when f returns.
func TestDoReturnsASignalAtTheEndOfF(t *testing.T) {
	for range 200 {
		s := &Signals{arrived: make(chan os.Signal, 1), ending: []syscall.Signal{syscall.SIGTERM}}
		wantSignal(t, s.Do(t.Context(), func(context.Context) error {
			s.arrived <- syscall.SIGTERM
			return nil
		}), syscall.SIGTERM)
		wantNothingPending(t, s)
	}
}

// f was interrupted, and its own error says so.
func TestDoReturnsTheErrorOfF(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	own := errors.New("own")
	if err := s.Do(t.Context(), func(ctx context.Context) error {
		raise(t, syscall.SIGUSR1)
		<-ctx.Done()
		return own
	}); err != own {
		t.Errorf("Do = %v, want the error of f", err)
	}
	wantNothingPending(t, s)
}

// One signal interrupts one Do; the second of two interrupts the next Do.
func TestDoIsInterruptedOncePerSignal(t *testing.T) {
	s := catch(t, syscall.SIGUSR1, syscall.SIGUSR2)
	wantSignal(t, s.Do(t.Context(), func(ctx context.Context) error {
		raise(t, syscall.SIGUSR1)
		<-ctx.Done()
		raise(t, syscall.SIGUSR2)
		return context.Cause(ctx)
	}), syscall.SIGUSR1)
	wantSignal(t, s.Do(t.Context(), untilDone), syscall.SIGUSR2)
	if err := s.Do(t.Context(), func(ctx context.Context) error { return context.Cause(ctx) }); err != nil {
		t.Errorf("Do without a signal = %v", err)
	}
}

// Signals that do not interrupt are queued in their order.
func TestEndBy(t *testing.T) {
	s := catch(t, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	s.EndBy(syscall.SIGUSR1)
	send(t, s, syscall.SIGUSR2)
	wantSignal(t, s.Do(t.Context(), func(ctx context.Context) error {
		raise(t, syscall.SIGWINCH)
		raise(t, syscall.SIGUSR1)
		return untilDone(ctx)
	}), syscall.SIGUSR1)
	for deadline := time.Now().Add(10 * time.Second); len(s.queued) < 2 && time.Now().Before(deadline); s.collect() {
		time.Sleep(time.Millisecond)
	}
	if want := []syscall.Signal{syscall.SIGUSR2, syscall.SIGWINCH}; !slices.Equal(s.queued, want) {
		t.Errorf("queued are %v, want %v", s.queued, want)
	}
}

func TestDoEndsWithItsParent(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	why := errors.New("why")
	parent, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := s.Do(parent, untilDone); err != why {
		t.Errorf("Do = %v, want the parent's cause", err)
	}
	wantNothingPending(t, s)
}

// A signal and the end of the parent come together, in either order: the signal is
// reported once.
func TestDoAndTheEndOfItsParent(t *testing.T) {
	for range 200 {
		s := &Signals{arrived: make(chan os.Signal, 1), ending: []syscall.Signal{syscall.SIGTERM}}
		parent, cancel := context.WithCancel(t.Context())
		err := s.Do(parent, func(ctx context.Context) error {
			go cancel()
			s.arrived <- syscall.SIGTERM
			return untilDone(ctx)
		})
		if err == context.Canceled {
			err = s.Stop()
		}
		wantSignal(t, err, syscall.SIGTERM)
		wantNothingPending(t, s)
	}
}

// wantNothingPending stops s, and fails the test if that reports a signal.
func wantNothingPending(t *testing.T, s *Signals) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Errorf("Stop = %v, want no signal", err)
	}
}

func TestStopReturnsWhatArrived(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	send(t, s, syscall.SIGUSR1)
	wantSignal(t, s.Stop(), syscall.SIGUSR1)
	wantNothingPending(t, s)
}

func TestStopOfNil(t *testing.T) {
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

// What is to be caught, is caught when f begins.
func TestDoWaitsForCatchMore(t *testing.T) {
	for range 20 {
		s := Catch()
		s.CatchMore(Ending()...)
		wantSignal(t, s.Do(t.Context(), func(ctx context.Context) error {
			raise(t, syscall.SIGUSR2)
			return untilDone(ctx)
		}), syscall.SIGUSR2)
		wantNothingPending(t, s)
	}
}

// A signal that is caught already is skipped, which saves time.
func TestCatchMoreTwice(t *testing.T) {
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

// What has been caught before is neither lost nor reported twice.
func TestCatchTo(t *testing.T) {
	arrived := make(chan os.Signal, 8)
	signal.Notify(arrived, syscall.SIGUSR1)
	s := CatchTo(arrived)
	send(t, s, syscall.SIGUSR1)
	s.CatchMore(syscall.SIGUSR1, syscall.SIGUSR2)
	if want := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2}; !slices.Equal(s.caught(), want) {
		t.Errorf("caught are %v, want %v", s.caught(), want)
	}
	send(t, s, syscall.SIGUSR2)
	wantSignal(t, s.Do(t.Context(), untilDone), syscall.SIGUSR1)
	wantSignal(t, s.Do(t.Context(), untilDone), syscall.SIGUSR2)
	wantNothingPending(t, s)
}
