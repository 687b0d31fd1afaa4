//go:build linux

package tests

import (
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// logTime is the time of a line of the log.
var logTime = regexp.MustCompile(`time=(\S+) `)

// lastTime returns the time of the last line of the log.
func (i *init1) lastTime() time.Time {
	i.Helper()
	found := logTime.FindAllStringSubmatch(i.log.String(), -1)
	if len(found) == 0 {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, found[len(found)-1][1])
	if err != nil {
		i.Fatal(err)
	}
	return at
}

// clockSteps sets the clock that startgate sees, an hour forward and then two back:
// see testdata/fault.c. That it has changed is to be seen in the times of the log.
func clockSteps(t *testing.T) {
	need(t, "root") // PTRACE may be root's alone
	const hour = time.Hour - time.Minute
	for _, test := range []struct {
		mode string
		open bool // whether the target gets ready in the end
	}{{replaces, true}, {supervises, true}, {replaces, false}} {
		t.Run(map[bool]string{true: "ready ", false: "never ready "}[test.open]+test.mode, func(t *testing.T) {
			t.Parallel()
			target := newGated(t)
			settings := []string{test.mode, "WAIT_FOR=" + target.url, "BACKOFF_MAX=50ms", "LOG_LEVEL=debug", "TIMEOUT=3s"}
			if test.open {
				settings = append(settings[:len(settings)-1], "TIMEOUT=30m") // less than what the clock is set
			}
			began := time.Now()
			i := struck(t, settings, faultProgram(t), "clock")
			launcher := i.cmd.Process
			i.log.until(t, "is not ready yet")
			i.gate = i.childOf(i.pid(), binary)
			_ = launcher.Signal(unix.SIGUSR1)
			until(t, "the clock to go forward", func() bool { return i.lastTime().Sub(began) > hour })
			target.asked(t)
			_ = launcher.Signal(unix.SIGUSR2)
			until(t, "the clock to come back", func() bool { return time.Since(began)+time.Minute > i.lastTime().Sub(began) })
			_ = launcher.Signal(unix.SIGUSR2)
			until(t, "the clock to go back", func() bool { return began.Sub(i.lastTime()) > hour })
			target.asked(t)
			if !test.open {
				i.ends(codeTimeout)
				i.tells("not ready after 3")
				return
			}
			target.open()
			i.starts()
			for _, waited := range regexp.MustCompile(`waited=(\S+)`).FindAllStringSubmatch(i.log.String(), -1) {
				if took, err := time.ParseDuration(waited[1]); err != nil || took < 0 || took > time.Since(began) {
					t.Errorf("waited for %v, %v", took, err)
				}
			}
		})
	}
}
