//go:build linux

package tests

// R12: signals to startgate as PID 1.

import (
	"fmt"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// theEnding are signals that must end the wait. The last one is one that Go drops when
// nobody catches it.
var theEnding = []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1}

// asPID1 makes the command PID 1 of a namespace.
func asPID1(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	return cmd
}

// startWaiting starts startgate in front of the application that handles signals, and
// returns when it waits.
func startWaiting(t testing.TB, target *sidecar, pid1 bool) *process {
	t.Helper()
	cmd := command(append(target.settings(), "TIMEOUT=15s"), binary, "--", program(t, "recorder"), "handle", "500")
	if pid1 {
		asPID1(cmd)
	}
	p := start(t, cmd)
	p.untilLog("waiting for")
	return p
}

// R12: as PID 1, not one signal is lost at any moment of the wait.
func TestPID1LosesNoSignalWhileWaiting(t *testing.T) {
	needRoot(t)
	target, n := startSidecar(t, ""), moments(t, 60)
	for i := range n {
		sig := theEnding[i%len(theEnding)]
		p := startWaiting(t, target, true)
		spin(time.Duration(i) * 20 * time.Millisecond / time.Duration(n))
		p.send(sig)
		if p.ends(128 + int(sig)); t.Failed() {
			return
		}
	}
}

// R12: as PID 1, around the hand-over: what was sent before startgate says that it
// starts the application ends it with 128+n. After that there is the limit that
// the kernel and Go's runtime set: reached, dropped or code 2, and nothing else.
func TestPID1LosesNoSignalBeforeHandOver(t *testing.T) {
	needRoot(t)
	count, i := map[signalOutcome]int{}, 0
	sweep(t, 15*time.Millisecond, moments(t, 60), func(after time.Duration) {
		sig, target := theEnding[i%len(theEnding)], startSidecar(t, "")
		i++
		p := startWaiting(t, target, true)
		target.getReady(0)
		spin(after)
		_ = p.cmd.Process.Signal(sig)
		sent := time.Now()
		outcome := p.outcomeOf(sig)
		count[outcome]++
		began, starts := handOver(t, p.log.String())
		switch {
		case !starts || sent.Before(began):
			if outcome != caughtIt {
				p.Fatalf("%v before the hand-over: %s", sig, outcome)
			}
		case outcome == lost && p.code() != 99:
			p.Errorf("%v in the hand-over", sig)
		}
	}, func() bool { return count[caughtIt] > 0 && count[reached] > 0 })
	t.Log(count)
}

// R12: as PID 1, the limit itself, with execve held back by strace. Go's runtime ends
// the process with 2; so nothing is lost until the kernel has begun.
func TestPID1EndsWith2BetweenStopAndExecve(t *testing.T) {
	needRoot(t)
	need(t, "strace", "unshare")
	s := newComparison(t)
	for _, sig := range theEnding[:4] {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			holding(t, 200*time.Millisecond, func(hold time.Duration) error {
				a := s.held("delay_enter", hold)
				a.as = append(a.as, "unshare", "--fork", "--pid")
				p := start(s, s.withPipes(a, binary, "--"))
				p.untilLog("starting")
				spin(hold / 10)
				for _, unshare := range childrenOf(t, p.pid()) {
					for _, pid := range childrenOf(t, unshare) {
						_ = syscall.Kill(pid, sig)
					}
				}
				if p.code() != runtimeCode {
					return fmt.Errorf("want exit code 2\n%s", p)
				}
				return nil
			})
		})
	}
}

var startingLine = regexp.MustCompile(`time=(\S+) level=INFO msg="starting [^"]*" logger=startgate event=starting `)

// handOver returns when startgate said that it starts the application, to the
// millisecond before, and whether it did.
func handOver(t *testing.T, log string) (time.Time, bool) {
	t.Helper()
	found := startingLine.FindStringSubmatch(log)
	if found == nil {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, found[1])
	if err != nil {
		t.Fatal(err)
	}
	return at, true
}
