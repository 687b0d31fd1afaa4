//go:build linux

package tests

// What the tests of supervising share, which hold startgate to S1 to S14: a correct
// init while the application runs.

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// superviseSettings are the settings of most of these tests.
var superviseSettings = []string{"WAIT_FOR=none", "SUPERVISE=true"}

// superviseCommand is a command that supervises this program.
func superviseCommand(argv ...string) *exec.Cmd {
	return command(superviseSettings, append([]string{binary, "--"}, argv...)...)
}

// startSupervising starts startgate in front of testdata/supervised.c with these
// arguments, and returns when that has said that it is ready.
func startSupervising(t testing.TB, args ...string) *process {
	t.Helper()
	p := start(t, superviseCommand(append([]string{program(t, "supervised")}, args...)...))
	p.untilOut("ready")
	return p
}

// app returns the PID of the application: the first child.
func (p *process) app() int {
	p.Helper()
	children := childrenOf(p, p.pid())
	if len(children) == 0 {
		p.Fatalf("there is no application")
	}
	return children[0]
}

// got returns the signals that the application says to have got, in their order.
func (p *process) got() []syscall.Signal {
	p.Helper()
	var signals []syscall.Signal
	for line := range strings.Lines(p.out.String()) {
		if rest, ok := strings.CutPrefix(line, "signal "); ok {
			number, _, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(number)
			if err != nil {
				p.Fatalf("%v", err)
			}
			signals = append(signals, syscall.Signal(n))
		}
	}
	return signals
}

// hasGot checks which signals the application has got.
func (p *process) hasGot(want ...syscall.Signal) {
	p.Helper()
	if got := p.got(); !slices.Equal(got, want) {
		p.Errorf("the application got %v, want %v", got, want)
	}
}

// forwards sends a signal and waits until the application has one more.
func (p *process) forwards(sig syscall.Signal) {
	p.Helper()
	had := len(p.got())
	p.send(sig)
	eventually(p, fmt.Sprintf("the application to get %v", sig), func() bool { return len(p.got()) > had })
}

// childOf waits until a process has a child that runs this program.
func (p *process) childOf(pid int, program string) int {
	p.Helper()
	child := 0
	eventually(p, "a child that runs "+program, func() bool {
		for _, child = range childrenOf(p, pid) {
			if programOf(child) == program {
				return true
			}
		}
		return false
	})
	return child
}

// programOf returns the file that a process runs.
func programOf(pid int) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return path
}

// statOf returns what /proc/PID/stat has after the name of a process: its state,
// its parent and so on; nothing when there is no such process.
func statOf(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	return append(strings.Fields(rest), "", "")
}

// stateOf returns the state of a process as ps(1) writes it: R, S, T, Z.
func stateOf(pid int) string { return statOf(pid)[0] }

// parentOf returns the PID of the parent of a process, 0 without one.
func parentOf(pid int) int {
	parent, _ := strconv.Atoi(statOf(pid)[1])
	return parent
}

// isGone reports whether a process has exited; its status may still be there.
func isGone(pid int) bool { return strings.Contains("ZX", stateOf(pid)) }
