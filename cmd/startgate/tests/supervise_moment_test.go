//go:build linux

package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// allGone tells whether all that have inherited it are gone soon, after the last
// of them has been started.
func (p inherited) allGone(t testing.TB) bool {
	t.Helper()
	p.w.Close()
	if err := p.r.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := p.r.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// startsWithin returns how long startgate and its application take to start, at
// their slowest of five.
func startsWithin(t testing.TB, env []string, program ...string) time.Duration {
	t.Helper()
	var span time.Duration
	for range 5 {
		cmd := superviseCommand(t, program...)
		cmd.Env = env
		began := time.Now()
		_ = cmd.Run()
		span = max(span, time.Since(began))
	}
	return min(span, 30*time.Millisecond)
}

// S5: TERM at any moment of the start ends startgate or the application, or reaches
// it, and nothing is left behind.
func TestSuperviseLosesNoSignal(t *testing.T) {
	s := newStage(t)
	env := append(supervising(), "STARTGATE_WAIT_FOR="+readyServer(t))
	span := startsWithin(t, env, s.recorder, "handle", "1")
	for _, test := range []struct {
		sig syscall.Signal
		n   int
	}{{unix.SIGTERM, 400}, {unix.SIGINT, 60}, {unix.SIGHUP, 60}, {unix.SIGQUIT, 100}} {
		t.Run(unix.SignalName(test.sig), func(t *testing.T) {
			count, n := map[fate]int{}, moments(t, test.n)
			for i := range n {
				after := span * time.Duration(i) / time.Duration(n)
				var stdout, stderr bytes.Buffer
				left := newInherited(t)
				cmd := superviseCommand(t, s.recorder, "handle", "1500")
				cmd.Env, cmd.Stdout, cmd.Stderr = env, &stdout, &stderr
				cmd.ExtraFiles = []*os.File{left.w}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				spin(after)
				_ = cmd.Process.Signal(test.sig)
				_ = cmd.Wait()
				fate := fateOf(test.sig, cmd.ProcessState, stdout.String())
				if fate == caughtIt && strings.Contains(stderr.String(), " is over") {
					fate = endedIt
				}
				count[fate]++
				if fate != endedIt && !permitted(test.sig, fate, stderr.String()) {
					t.Errorf("sent after %v: %s: %v\n%s%s", after, fate, cmd.ProcessState, &stdout, &stderr)
				}
				if !left.allGone(t) {
					t.Errorf("sent after %v: %s, and left an orphan\n%s%s", after, fate, &stdout, &stderr)
				}
				if count[lost] > 3 {
					t.Fatalf("of %d within %v: %v, and so on", i, span, count)
				}
			}
			t.Logf("of %d within %v: %v", n, span, count)
			if count[caughtIt] == 0 || count[reached]+count[endedIt] == 0 {
				t.Errorf("the moments did not cover the start: %v", count)
			}
		})
	}
}

// endedIt is a fate of a signal that came before the application's own handler.
const endedIt fate = "ended the application, 128+n"

// S4. What comes while the child has not called execve yet, reaches the
// application. It has the signals blocked from its first moment, but for those that
// Go unblocks (see R7), which may end it.
func TestSuperviseSignalBeforeExecve(t *testing.T) {
	need(t, "strace")
	s, app := newStage(t), application(t)
	strace := []string{
		"strace", "-f", "-qq", "-o", filepath.Join(s.dir, "strace"), "-P", app, "-e", "trace=execve",
		"-e", "inject=execve:delay_enter=100000", // microseconds
	}
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGWINCH, unix.SIGTSTP, 40} {
		t.Run(exec.SignalName(sig), func(t *testing.T) {
			i := begin(t, s.in(t).command(start{
				as: strace, states: each("block", everySignal()), env: supervising(), program: []string{app, "signals"},
			}, binary, "--"))
			i.gate = i.childOf(i.pid(), binary) // strace has others before
			child := i.childOf(i.gate, binary)
			i.send(sig)
			if programOf(child) != binary {
				t.Fatalf("the signal was not sent before execve\n%s", i.log)
			}
			over := func() bool { return strings.Contains(i.log.String(), " is over") }
			until(t, "the signal to arrive", func() bool { return len(i.got()) > 0 || over() })
			_ = syscall.Kill(child, unix.SIGKILL)
			want := 128 + int(unix.SIGKILL)
			if over() && slices.Contains(unblocked, sig) {
				want = 128 + int(sig)
			} else if got := i.got(); !slices.Equal(got, []syscall.Signal{sig}) {
				t.Errorf("the application got %v", got)
			}
			i.ends(want)
		})
	}
}

// childOf waits until a process has a child that runs this program.
func (i *init1) childOf(pid int, program string) int {
	i.Helper()
	child := 0
	until(i, "a child that runs "+program, func() bool {
		for _, child = range childrenOf(i, pid) {
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

// S8: whenever startgate is killed, the application is gone with it.
func TestApplicationDiesWithStartgate(t *testing.T) {
	app := application(t)
	span := 2 * startsWithin(t, supervising(), app, "die", "9")
	count, n := map[bool]int{}, moments(t, 100)
	for i := range n {
		left := newInherited(t)
		cmd := superviseCommand(t, app, "signals")
		cmd.ExtraFiles = []*os.File{left.w}
		init := begin(t, cmd)
		spin(span * time.Duration(i) / time.Duration(n))
		init.send(unix.SIGKILL)
		_ = init.code()
		if !left.allGone(t) {
			t.Fatalf("the application goes on\n%s%s", init.out, init.log)
		}
		count[strings.Contains(init.out.String(), "ready")]++
	}
	t.Logf("of %d within %v: the application was ready in %d", n, span, count[true])
	if count[true] == 0 || count[false] == 0 {
		t.Errorf("the moments did not cover the start: %v", count)
	}
}
