package main

import (
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
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(filePatience):
		return errHeld
	}
}
