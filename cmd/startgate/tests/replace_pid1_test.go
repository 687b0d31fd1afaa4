//go:build linux

package tests

import (
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// theEnding are the signals that must end the wait.
var theEnding = []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT}

// prompt is how long startgate may take to end on a signal.
const prompt = time.Second

// asInit makes the command PID 1 of a namespace.
func asInit(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID} }

// waits starts startgate in front of the application that handles signals, and
// returns when it waits.
func (s *stage) waits(gate *gated, init bool) (*exec.Cmd, *live) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), binary, "--", s.recorder, "handle", "500")
	cmd.Env, cmd.Stdout = append(gate.env(), "STARTGATE_TIMEOUT=2s"), &live{}
	if init {
		asInit(cmd)
	}
	log := s.starts(cmd)
	log.until(s.T, "waiting for")
	return cmd, log
}

// R13, and the same for any other PID.
func TestSignalsEndTheWait(t *testing.T) {
	s := newStage(t)
	for _, init := range []bool{true, false} {
		for _, sig := range theEnding {
			t.Run(map[bool]string{true: "PID 1 ", false: ""}[init]+unix.SignalName(sig), func(t *testing.T) {
				if init {
					need(t, "root")
				}
				cmd, log := s.in(t).waits(newGated(t), init)
				sent := time.Now()
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait()
				if took := time.Since(sent); took > prompt {
					t.Errorf("ended after %v", took)
				}
				if code, want := cmd.ProcessState.ExitCode(), 128+int(sig); code != want {
					t.Errorf("exit code is %d, want %d", code, want)
				}
				text := log.String()
				if strings.Contains(text, "goroutine ") {
					t.Errorf("printed a stack trace")
				}
				if !strings.Contains(text, "ended by "+unix.SignalName(sig)) {
					t.Errorf("the log does not say that it was ended by %s", unix.SignalName(sig))
				}
				if t.Failed() {
					t.Log(text)
				}
			})
		}
	}
}

// R12, PID 1: not one signal is lost at any moment of the wait.
func TestPID1LosesNoSignalWhileWaiting(t *testing.T) {
	need(t, "root")
	s := newStage(t)
	n := moments(t, 60)
	for i := range n {
		sig := theEnding[i%len(theEnding)]
		cmd, log := s.waits(newGated(t), true)
		spin(time.Duration(i) * 20 * time.Millisecond / time.Duration(n))
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 128+int(sig) {
			t.Fatalf("%v: exit code is %d\n%s", sig, code, log)
		}
	}
}

// R12, PID 1, around the hand-over: what was sent before startgate says that it
// starts the application ends it with 128+n. After that there is the limit that
// the kernel and Go's runtime set: reached, dropped or code 2, and nothing else.
func TestPID1LosesNoSignalBeforeHandOver(t *testing.T) {
	need(t, "root")
	s := newStage(t)
	count, n := map[fate]int{}, moments(t, 60)
	for i := range n {
		sig, gate := theEnding[i%len(theEnding)], newGated(t)
		cmd, log := s.waits(gate, true)
		gate.open()
		spin(time.Duration(i) * 15 * time.Millisecond / time.Duration(n))
		sent := time.Now()
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
		fate := fateOf(sig, cmd.ProcessState, cmd.Stdout.(*live).String())
		count[fate]++
		began, starts := handOver(t, log.String())
		switch {
		case !starts || sent.Before(began):
			if fate != caughtIt {
				t.Fatalf("%v before the hand-over: %s: %v\n%s", sig, fate, cmd.ProcessState, log)
			}
		case fate == lost && cmd.ProcessState.ExitCode() != 99:
			t.Errorf("%v in the hand-over: %v\n%s", sig, cmd.ProcessState, log)
		}
	}
	t.Logf("of %d: %v", n, count)
	if count[caughtIt] == 0 || count[reached] == 0 {
		t.Errorf("the moments did not cover the hand-over: %v", count)
	}
}

// R12, PID 1: the limit itself, with execve held back by strace. Go's runtime ends
// the process with 2; so nothing is lost until the kernel has begun.
func TestPID1EndsWith2BetweenStopAndExecve(t *testing.T) {
	need(t, "root", "strace", "unshare")
	s := newStage(t)
	const hold = 200 * time.Millisecond
	hand := s.holds("delay_enter", hold)
	for _, sig := range theEnding {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			s := s.in(t)
			cmd := s.command(start{as: append(hand, "unshare", "--fork", "--pid"), program: []string{s.application(), "handle", "500"}}, binary, "--")
			log := s.starts(cmd)
			log.until(t, "starting")
			spin(hold / 10)
			for _, unshare := range childrenOf(t, cmd.Process.Pid) {
				for _, pid := range childrenOf(t, unshare) {
					_ = syscall.Kill(pid, sig)
				}
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 2 {
				t.Errorf("%v, want exit code 2\n%s", cmd.ProcessState, log)
			}
		})
	}
}

var startingLine = regexp.MustCompile(`time=(\S+) level=INFO msg="starting `)

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
