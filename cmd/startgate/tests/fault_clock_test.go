//go:build linux

package tests

// Faults: the clock is set.

import (
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// logTime is the time of a line of the log.
var logTime = regexp.MustCompile(`time=(\S+) `)

// lastTime returns the time of the last line of the log.
func (p *process) lastTime() time.Time {
	p.Helper()
	found := logTime.FindAllStringSubmatch(p.log.String(), -1)
	if len(found) == 0 {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, found[len(found)-1][1])
	if err != nil {
		p.Fatalf("%v", err)
	}
	return at
}

// clockSteps sets the clock that startgate sees, an hour forward and then two back:
// see testdata/fault.c. That it has changed is to be seen in the times of the log.
func clockSteps(t *testing.T) {
	needRoot(t) // PTRACE may be root's alone
	const hour = time.Hour - time.Minute
	for _, test := range []struct {
		mode string
		open bool // whether the target gets ready in the end
	}{{modeReplace, true}, {modeSupervise, true}, {modeReplace, false}} {
		t.Run(map[bool]string{true: "ready ", false: "never ready "}[test.open]+test.mode, func(t *testing.T) {
			t.Parallel()
			target := startSidecar(t, "")
			settings := []string{test.mode, "WAIT_FOR=" + target.url(), "BACKOFF_MAX=50ms", "LOG_LEVEL=debug", "TIMEOUT=6s"}
			if test.open {
				settings = append(settings[:len(settings)-1], "TIMEOUT=30m") // less than what the clock is set
			}
			began := time.Now()
			p := startFault(t, settings, program(t, "fault"), "clock")
			launcher := p.cmd.Process
			p.untilLog("is not ready yet")
			p.gate = p.childOf(p.pid(), binary)
			_ = launcher.Signal(unix.SIGUSR1)
			eventually(t, "the clock to go forward", func() bool { return p.lastTime().Sub(began) > hour })
			target.untilAskedAgain()
			_ = launcher.Signal(unix.SIGUSR2)
			eventually(t, "the clock to come back", func() bool { return time.Since(began)+time.Minute > p.lastTime().Sub(began) })
			_ = launcher.Signal(unix.SIGUSR2)
			eventually(t, "the clock to go back", func() bool { return began.Sub(p.lastTime()) > hour })
			target.untilAskedAgain()
			if !test.open {
				p.ends(codeTimeout)
				found := regexp.MustCompile(`not ready after (\S+) `).FindStringSubmatch(p.log.String())
				if found == nil {
					p.Fatalf("the log does not say for how long it waited")
				}
				if took, err := time.ParseDuration(found[1]); err != nil || took < 6*time.Second || took > 6*time.Second+soon {
					p.Errorf("waited for %v, %v, want 6s", took, err)
				}
				return
			}
			target.getReady(0)
			p.runsOnce()
			for _, waited := range regexp.MustCompile(`event=starting elapsed=(\S+)`).FindAllStringSubmatch(p.log.String(), -1) {
				if took, err := time.ParseDuration(waited[1]); err != nil || took < 0 || took > time.Since(began) {
					t.Errorf("waited for %v, %v", took, err)
				}
			}
		})
	}
}
