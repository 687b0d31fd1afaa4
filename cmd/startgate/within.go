package main

import (
	"context"
	"errors"
	"time"
)

// errHeld says that a file system does not answer.
var errHeld = errors.New("no answer from the file system in time")

// filePatience is how long startgate waits for a file that it writes for itself.
const filePatience = time.Second

// within runs f, which a file system that does not answer may hold up for ever, and
// returns its error. It returns errHeld when f takes longer than filePatience.
func within(f func() error) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), filePatience, errHeld)
	defer cancel()
	return until(ctx, f)
}

// until runs f and returns its error, or the cause when ctx ends before.
func until(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
