//go:build linux

package tests

// What the tests of faults share: see the table in fault_table_test.go.

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFaults sees each line of the table happen.
func TestFaults(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.what, func(t *testing.T) {
			t.Parallel()
			fault.test(t)
		})
	}
}

// The settings of the modes.
const (
	modeReplace   = "SUPERVISE=false"
	modeSupervise = "SUPERVISE=true"
	modeQuit      = "QUIT=istio"
)

// startFault starts startgate with these settings in front of testdata/fault.c.
// through is a command that becomes startgate.
func startFault(t testing.TB, settings []string, through ...string) *process {
	t.Helper()
	return startShown(t, settings, words(through, binary, "--", program(t, "fault"), "app")...)
}

// startShown starts a command with these settings. If the test fails, it shows what
// that has printed.
func startShown(t testing.TB, settings []string, argv ...string) *process {
	t.Helper()
	p := start(t, command(settings, argv...))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p)
		}
	})
	return p
}

// inModes runs a test with the setting of each of these modes, in a network of its
// own.
func inModes(t *testing.T, modes []string, test func(t *testing.T, mode string)) {
	t.Helper()
	needRoot(t)
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			test(t, mode)
		})
	}
}

// runsOnce waits for the application, and checks that it started once, that a signal
// reaches it, and that its code is startgate's.
func (p *process) runsOnce() {
	p.Helper()
	p.untilOut("ready,")
	p.send(unix.SIGTERM)
	p.ends(42)
	if out := p.out.String(); strings.Count(out, "ready,") != 1 || strings.Count(out, "got TERM") != 1 {
		p.Errorf("the application was started more than once, or has not got TERM once")
	}
}

// stopsWaiting sends TERM, which ends the wait.
func (p *process) stopsWaiting() {
	p.Helper()
	p.send(unix.SIGTERM)
	p.ends(128 + int(unix.SIGTERM))
	p.logHas("ended by SIGTERM")
	if p.out.String() != "" {
		p.Errorf("the application was started")
	}
}
