package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/startgate/startgate/exec"
)

// The exit codes of startgate itself, as timeout(1) has them.
const (
	codeTimeout = 124
	codeFailed  = 125
)

// codes are all exit codes, for a person.
var codes = []struct{ Code, Meaning string }{
	{"the application's", "it ran; 128+n when signal n ended it under startgate's supervision"},
	{"2", "Go's runtime ended startgate, for want of threads, descriptors or memory"},
	{"124", "a target was not ready within STARTGATE_TIMEOUT"},
	{"125", "startgate itself failed: settings, usage, --install"},
	{"126", "the program exists and cannot be run, or no process could be started for it"},
	{"127", "the program does not exist"},
	{"128+n", "signal n ended the wait"},
}

// codeOf returns the exit code of an error.
func codeOf(err error) int {
	var (
		exit   *exec.ExitError
		signal *exec.SignalError
		app    appExit
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &app):
		return int(app)
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &signal):
		return signal.Code()
	case errors.Is(err, context.DeadlineExceeded):
		return codeTimeout
	}
	return codeFailed
}

// report tells a person why startgate ends and returns the exit code.
func (g *gate) report(err error) int {
	var app appExit
	if err == nil || errors.As(err, &app) {
		return int(app)
	}
	if g.log != nil {
		g.log.Error(err.Error(), "code", codeOf(err))
	} else {
		fmt.Fprintln(g.stderr, "startgate: "+strings.ReplaceAll(err.Error(), "\n", "\nstartgate: "))
	}
	if errors.As(err, new(usageError)) {
		fmt.Fprint(g.stderr, synopsis())
	}
	leaveMessage(err.Error())
	return codeOf(err)
}

// terminationLog is where the kubelet looks for why a container ended.
const terminationLog = "/dev/termination-log"

// leaveMessage writes a container's termination message, where there is none yet: of
// a script that runs startgate --wait, it may be what the application wrote.
func leaveMessage(text string) {
	f, err := os.OpenFile(terminationLog, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() == 0 {
		fmt.Fprintln(f, "startgate: "+text)
	}
}
