package exec

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The exit codes of a program that could not be run, as env(1), timeout(1) and
// every shell have them.
const (
	CodeCannotRun = 126 // it exists and cannot be run
	CodeNotFound  = 127 // it, or the interpreter it names, does not exist
)

// ExitError says that a program could not be run.
type ExitError struct {
	Code int   // what to exit with: CodeCannotRun or CodeNotFound
	Err  error // names the program and the cause
}

func (e *ExitError) Error() string { return e.Err.Error() }
func (e *ExitError) Unwrap() error { return e.Err }

// SignalError says that a signal ended what was going on. Its exit code is
// 128 plus the signal's number.
type SignalError struct {
	Signal syscall.Signal
}

func (e *SignalError) Error() string { return "ended by " + SignalName(e.Signal) }

// Code returns 128 plus the signal's number, a shell's code for a program that
// the signal ended.
func (e *SignalError) Code() int { return 128 + int(e.Signal) }

// SignalName returns the name of a signal as kill(1) writes it, such as SIGTERM,
// or "signal 40" for one without a name.
func SignalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}
