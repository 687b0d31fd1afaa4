package main

// This test covers a signal that arrives at the last moment of a step.

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/startgate/startgate/exec"
)

// A signal that comes between a step's last look and its end was once forgotten:
// startgate went on to wait.
func TestInterruptibleTellsALateSignal(t *testing.T) {
	g := &gate{signals: exec.Catch(syscall.SIGUSR1)}
	defer g.signals.Stop()
	err := g.interruptible(func(ctx context.Context) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			return err
		}
		<-ctx.Done()
		return nil // as one that had looked before
	})
	var ended *exec.SignalError
	if !errors.As(err, &ended) || ended.Signal != syscall.SIGUSR1 {
		t.Errorf("error is %v, want the signal", err)
	}
	if err := g.interruptible(func(context.Context) error { return nil }); err != nil {
		t.Errorf("error is %v after nothing happened", err)
	}
}
