package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/startgate/startgate/exec"
)

// The exit codes of startgate itself, as timeout(1) has them.
const (
	codeTimeout = 124
	codeFailed  = 125
)

// codes describe all exit codes to a user.
var codes = []struct{ Code, Meaning string }{
	{"the application's", "it ran; 128+n when signal n ended it under startgate's supervision"},
	{"2", "the Go runtime aborted: it could not get a thread, a file descriptor or memory"},
	{"124", "a target was not ready, or the program's file system did not answer, within STARTGATE_TIMEOUT"},
	{"125", "startgate itself failed: settings, usage, --install, --release"},
	{"126", "the program exists and cannot be run, or no process could be started for it"},
	{"127", "the program, or the interpreter that it names, does not exist"},
	{"128+n", "signal n ended the wait"},
}

// exitCode returns the exit code of an error that ends startgate itself.
func exitCode(err error) int {
	var (
		exit   *exec.ExitError
		signal *exec.SignalError
	)
	switch {
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &signal):
		return signal.Code()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errHeld):
		return codeTimeout
	}
	return codeFailed
}

// exitEvent returns the event of an error that ends startgate itself.
func exitEvent(err error) event {
	switch {
	case exitCode(err) == codeTimeout:
		return eventGaveUp
	case errors.As(err, new(*exec.SignalError)):
		return eventStopped
	}
	return eventFailed
}

// hintedError is an error with what the log has beside its message: keys of the wait, and
// a hint.
type hintedError struct {
	error
	attrs []any
	hint  hint
}

// Unwrap returns the error without its hint.
func (e hintedError) Unwrap() error { return e.error }

// hintOf returns the hint of an error, or the section about its exit code.
func hintOf(err error) hint {
	var hinted hintedError
	errors.As(err, &hinted)
	if hinted.hint != (hint{}) {
		return hinted.hint
	}
	switch code := exitCode(err); code {
	case codeTimeout:
		return hint{anchor: anchorTimeout}
	case codeFailed:
		return hint{anchor: anchorFailed}
	case exec.CodeCannotRun, exec.CodeNotFound:
		return hint{anchor: anchorNotRun}
	}
	return hint{anchor: anchorStopped}
}

// reportExit logs why startgate ends, and returns the exit code.
func (g *gate) reportExit(err error) int {
	if isUsage := errors.As(err, new(usageError)); isUsage && g.log.isText {
		fmt.Fprintf(g.stderr, "startgate: %v\n%s", err, synopsis())
	} else {
		g.logExit(err)
	}
	if !g.checks {
		writeTerminationMessage(err.Error(), hintOf(err))
	}
	return exitCode(err)
}

func (g *gate) logExit(err error) {
	lines := []string{err.Error()}
	if errors.As(err, new(settingsError)) {
		lines = strings.Split(err.Error(), "\n")
	}
	var hinted hintedError
	errors.As(err, &hinted)
	attrs := slices.Clone(hinted.attrs)
	if signal := (*exec.SignalError)(nil); errors.As(err, &signal) {
		attrs = append(attrs, "signal", exec.SignalName(signal.Signal))
	}
	attrs = append(attrs, "code", exitCode(err))
	for _, line := range lines {
		g.log.error(exitEvent(err), line, append(attrs, hintOf(err).attrs()...)...)
	}
}

// terminationLog is where the kubelet looks for the reason of a container's end.
const terminationLog = "/dev/termination-log"

// writeTerminationMessage writes a container's termination message, unless there is
// one: of a script that runs startgate --wait, it may be what the application wrote. The
// hint and its address are lines of their own.
func writeTerminationMessage(text string, h hint) {
	lines := []string{"startgate: " + text}
	if h.text != "" {
		lines = append(lines, h.text)
	}
	lines = append(lines, h.docs())
	_ = within(func() error {
		f, err := os.OpenFile(terminationLog, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || info.Size() > 0 {
			return err
		}
		_, err = quiet{f}.Write([]byte(strings.Join(lines, "\n") + "\n"))
		return err
	})
}
