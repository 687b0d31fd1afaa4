//go:build linux

package tests

// S4, S5 and S8: signals at any moment of the start.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/startgate/startgate/exec"
	"golang.org/x/sys/unix"
)

// inherited is a pipe whose end the processes of a test inherit.
type inherited struct{ r, w *os.File }

func newInherited(t testing.TB) inherited {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return inherited{r, w}
}

// allGone reports whether all that have inherited it are gone soon, after the last
// of them has been started.
func (p inherited) allGone(t testing.TB) bool {
	t.Helper()
	p.w.Close()
	if err := p.r.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	_, err := p.r.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// S5: TERM at any moment of the start ends startgate or the application, or reaches
// it, and nothing is left behind.
func TestSuperviseLosesNoSignal(t *testing.T) {
	recorder := program(t, "recorder")
	settings := []string{"SUPERVISE=true", "WAIT_FOR=" + startReady(t, "").url()}
	span := min(slowestOf(5, func() { startGate(t, settings, recorder, "handle", "1").end() }), 30*time.Millisecond)
	for _, test := range []struct {
		sig syscall.Signal
		n   int
	}{{unix.SIGTERM, 400}, {unix.SIGINT, 60}, {unix.SIGHUP, 60}, {unix.SIGQUIT, 100}} {
		t.Run(unix.SignalName(test.sig), func(t *testing.T) {
			count := map[signalOutcome]int{}
			sweep(t, span, moments(t, test.n), func(after time.Duration) {
				left := newInherited(t)
				cmd := command(settings, binary, "--", recorder, "handle", "10000")
				cmd.ExtraFiles = []*os.File{left.w}
				p := start(t, cmd)
				spin(after)
				p.send(test.sig)
				outcome := p.outcomeOf(test.sig)
				if outcome == caughtIt && p.appExited() {
					outcome = endedIt
				}
				count[outcome]++
				if outcome != endedIt && !permitted(test.sig, outcome, p.log.String()) {
					p.Errorf("sent after %v: %s", after, outcome)
				}
				if !left.allGone(t) {
					p.Errorf("sent after %v: %s, and left an orphan", after, outcome)
				}
				if count[lost] > 3 {
					t.Fatalf("%v, and so on", count)
				}
			}, func() bool { return count[caughtIt] > 0 && count[reached]+count[endedIt] > 0 })
			t.Log(count)
		})
	}
}

// endedIt is the outcome of a signal that came before the application's own handler.
const endedIt signalOutcome = "ended the application, 128+n"

// appExited reports whether startgate says that its application has exited.
func (p *process) appExited() bool { return strings.Contains(p.log.String(), exitedText) }

// exitedText is how the log says that the application has exited.
const exitedText = "event=exited"

// S4: what comes while the child has not called execve yet, reaches the
// application. It has the signals blocked from its first moment, except those that
// Go unblocks (see TestReplaceKeepsSignalMask), which may end it.
func TestSuperviseSignalBeforeExecve(t *testing.T) {
	need(t, "strace")
	s, app := newComparison(t), program(t, "supervised")
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGWINCH, unix.SIGTSTP, 40} {
		t.Run(exec.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			holding(t, 100*time.Millisecond, func(hold time.Duration) error {
				p := start(t, s.withPipes(launch{
					as: straced(app, "delay_enter", hold), states: each("block", everySignal()), env: superviseEnv, program: []string{app, "signals"},
				}, binary, "--"))
				p.gate = p.childOf(p.pid(), binary) // strace has others before
				child := p.childOf(p.gate, binary)
				p.send(sig)
				if programOf(child) != binary {
					return fmt.Errorf("the signal was not sent before execve\n%s", p)
				}
				eventually(p, "the signal to arrive", func() bool { return len(p.got()) > 0 || p.appExited() })
				_ = syscall.Kill(child, unix.SIGKILL)
				want := 128 + int(unix.SIGKILL)
				if p.appExited() && slices.Contains(unblocked, sig) {
					want = 128 + int(sig)
				} else if got := p.got(); !slices.Equal(got, []syscall.Signal{sig}) {
					p.Errorf("the application got %v", got)
				}
				p.ends(want)
				return nil
			})
		})
	}
}

// S8: whenever startgate is killed, the application is gone with it.
func TestApplicationDiesWithStartgate(t *testing.T) {
	app := program(t, "supervised")
	span := 2 * slowestOf(5, func() { start(t, superviseCommand(app, "die", "9")).end() })
	count := map[bool]int{}
	sweep(t, span, moments(t, 100), func(after time.Duration) {
		left := newInherited(t)
		cmd := superviseCommand(app, "signals")
		cmd.ExtraFiles = []*os.File{left.w}
		p := start(t, cmd)
		spin(after)
		p.send(unix.SIGKILL)
		p.end()
		if !left.allGone(t) {
			p.Fatalf("the application goes on")
		}
		count[strings.Contains(p.out.String(), "ready")]++
	}, func() bool { return count[true] > 0 && count[false] > 0 })
	t.Logf("the application was ready: %v", count)
}
