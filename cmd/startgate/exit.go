package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	{"125", "startgate itself failed: settings, usage, --install"},
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

// reportExit logs why startgate ends, and returns the exit code.
func (g *gate) reportExit(err error) int {
	code := exitCode(err)
	if g.log != nil {
		g.log.Error(err.Error(), "code", code)
	} else {
		fmt.Fprintln(g.stderr, "startgate: "+strings.ReplaceAll(err.Error(), "\n", "\nstartgate: "))
	}
	if errors.As(err, new(usageError)) {
		fmt.Fprint(g.stderr, synopsis())
	}
	writeTerminationMessage(err.Error())
	return code
}

// terminationLog is where the kubelet looks for the reason of a container's end.
const terminationLog = "/dev/termination-log"

// writeTerminationMessage writes a container's termination message, unless there is
// one: of a script that runs startgate --wait, it may be what the application wrote.
func writeTerminationMessage(text string) {
	_ = within(func() error {
		f, err := os.OpenFile(terminationLog, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || info.Size() > 0 {
			return err
		}
		_, err = quiet{f}.Write([]byte("startgate: " + text + "\n"))
		return err
	})
}
