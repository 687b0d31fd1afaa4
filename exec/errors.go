package exec

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit codes for a program that could not be run, the same as those of env(1),
// timeout(1) and every shell.
const (
	CodeCannotRun = 126 // the program exists and cannot be run
	CodeNotFound  = 127 // the program, or the interpreter it names, does not exist
)

// ErrNoSubreaper is what Options.Degraded is called with, wrapped, where this process is
// not PID 1 and cannot become a subreaper: an old kernel or a sandbox does not know it, or
// a seccomp filter forbids it. It costs nothing unless the program leaves orphans, and then
// little: PID 1 reaps them, if it is an init.
var ErrNoSubreaper = errors.New("cannot become a subreaper: orphans are left to PID 1")

// ExitError reports that a program could not be run.
type ExitError struct {
	Code int   // the exit code to use: CodeCannotRun or CodeNotFound
	Err  error // names the program (see [DisplayName]) and the cause

	// MayPass is set by Find when the program may be run later all the same.
	MayPass bool
}

func (e *ExitError) Error() string { return e.Err.Error() }
func (e *ExitError) Unwrap() error { return e.Err }

// SignalError reports that a signal interrupted the operation.
type SignalError struct {
	Signal syscall.Signal
}

func (e *SignalError) Error() string { return "ended by " + SignalName(e.Signal) }

// Code returns 128 plus the signal's number: the exit code that a shell gives for a
// program that the signal ended.
func (e *SignalError) Code() int { return 128 + int(e.Signal) }

// SignalName returns the name of a signal, such as SIGTERM, or "signal 40" for a
// signal without a name.
func SignalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}
