//go:build linux

package tests

// R13: what each signal does to startgate while it waits.

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// signalEffect is what a signal does to startgate while it waits.
type signalEffect string

const (
	ended   signalEffect = "the wait ends with 128+n"
	killing signalEffect = "the kernel ends the process"
	stopped signalEffect = "the kernel stops the process until CONT"
	passed  signalEffect = "the wait goes on, and the application starts"
)

// whileWaiting has every signal, with its effect on a process that is not PID 1 and on
// PID 1.
var whileWaiting = []struct {
	sig           syscall.Signal
	effect, asPID signalEffect
}{
	{unix.SIGHUP, ended, ended},
	{unix.SIGINT, ended, ended},
	{unix.SIGQUIT, ended, ended},
	{unix.SIGILL, ended, ended},
	{unix.SIGTRAP, ended, ended},
	{unix.SIGABRT, ended, ended},
	{unix.SIGBUS, ended, ended},
	{unix.SIGFPE, ended, ended},
	{unix.SIGKILL, killing, killing},
	{unix.SIGUSR1, ended, ended},
	{unix.SIGSEGV, ended, ended},
	{unix.SIGUSR2, ended, ended},
	{unix.SIGPIPE, passed, passed},
	{unix.SIGALRM, ended, ended},
	{unix.SIGTERM, ended, ended},
	{unix.SIGSTKFLT, ended, ended},
	{unix.SIGCHLD, passed, passed},
	{unix.SIGCONT, passed, passed},
	{unix.SIGSTOP, stopped, stopped},
	{unix.SIGTSTP, stopped, passed},
	{unix.SIGTTIN, stopped, passed},
	{unix.SIGTTOU, stopped, passed},
	{unix.SIGURG, passed, passed},
	{unix.SIGXCPU, ended, ended},
	{unix.SIGXFSZ, passed, passed},
	{unix.SIGVTALRM, ended, ended},
	{unix.SIGPROF, passed, passed},
	{unix.SIGWINCH, ended, ended}, // without a terminal
	{unix.SIGIO, ended, ended},
	{unix.SIGPWR, ended, ended},
	{unix.SIGSYS, ended, ended},
	{32, killing, passed},
	{33, passed, passed},
	{34, killing, passed},
	{35, ended, ended},
	{36, ended, ended},
	{37, ended, ended},
	{38, ended, ended},
	{39, ended, ended},
	{40, ended, ended},
	{41, ended, ended},
	{42, ended, ended},
	{43, ended, ended},
	{44, ended, ended},
	{45, ended, ended},
	{46, ended, ended},
	{47, ended, ended},
	{48, ended, ended},
	{49, ended, ended},
	{50, ended, ended},
	{51, ended, ended},
	{52, ended, ended},
	{53, ended, ended},
	{54, ended, ended},
	{55, ended, ended},
	{56, ended, ended},
	{57, ended, ended},
	{58, ended, ended},
	{59, ended, ended},
	{60, ended, ended},
	{61, ended, ended},
	{62, ended, ended},
	{63, ended, ended},
	{64, ended, ended},
}

// R13: each signal once, as PID 1 and as any other, and whichever way it would have
// handed over.
func TestEverySignalWhileWaiting(t *testing.T) {
	for i, test := range whileWaiting {
		if test.sig != syscall.Signal(i+1) {
			t.Fatalf("signal %d is not in the table", i+1)
		}
	}
	for _, pid1 := range []bool{false, true} {
		for _, mode := range []string{modeReplace, modeSupervise} {
			t.Run(fmt.Sprintf("PID 1: %t, %s", pid1, mode), func(t *testing.T) {
				t.Parallel()
				if pid1 {
					needRoot(t)
				}
				target := startSidecar(t, "")
				for _, test := range whileWaiting {
					cmd := waitingFor(target, mode)
					if test.sig == unix.SIGWINCH {
						cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // which leaves the terminal
					}
					effect := test.effect
					if pid1 {
						cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
						effect = test.asPID
					}
					start(t, cmd).signalled(test.sig, effect, target)
				}
			})
		}
	}
}

// waitingFor is a command that starts startgate in front of echo, in a job of its own,
// which is stopped as those of a shell are.
func waitingFor(target *sidecar, settings ...string) *exec.Cmd {
	cmd := command(append(target.settings(), settings...), binary, "--", "echo", "APP UP")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// signalled waits for the wait, sends the signal, and checks its effect. The target is
// not ready before and afterwards.
func (p *process) signalled(sig syscall.Signal, effect signalEffect, target *sidecar) {
	p.Helper()
	p.untilLog("is not ready yet")
	sent := time.Now()
	p.send(sig)
	switch effect {
	case ended:
		p.ends(128 + int(sig))
		p.logHas("ended by ")
		p.logHasNot("goroutine ") // a stack trace
	case killing:
		if status := p.end(); !status.Signaled() || status.Signal() != sig {
			p.Errorf("%v has not ended it", sig)
		}
	case stopped:
		eventually(p, "it to be stopped", func() bool { return stateOf(p.pid()) == "T" })
		p.send(unix.SIGCONT)
		fallthrough
	case passed:
		target.untilAskedAgain()
		defer target.readyAt.Store(0)
		target.getReady(0)
		p.ends(0)
		p.outHas("APP UP")
		return
	}
	if took := time.Since(sent); took > soon {
		p.Errorf("%v: it took %v", sig, took)
	}
	if p.out.String() != "" {
		p.Errorf("%v: the application was started", sig)
	}
}

// R13: on a terminal WINCH is about the size of a window.
func TestWindowSizeDoesNotEndTheWait(t *testing.T) {
	need(t, "env")
	for _, mode := range []string{modeReplace, modeSupervise} {
		target := startSidecar(t, "")
		settings := environ(append(target.settings(), mode)...)
		s := newTerminal(t, exec.Command("env", words(settings, binary, "--", "echo", "APP UP")...))
		s.shows("is not ready yet")
		s.send(unix.SIGWINCH)
		target.untilAskedAgain()
		target.getReady(0)
		s.ends(0)
		s.shows("APP UP")
	}
}

// R13: a reloader or a preStop hook sends it from startgate's own PID namespace, where
// the kernel protects PID 1 from more.
func TestSignalToPID1FromBeside(t *testing.T) {
	needRoot(t)
	need(t, "nsenter")
	p := start(t, asPID1(waitingFor(startSidecar(t, ""))))
	p.untilLog("is not ready yet")
	runToEnd(t, exec.Command("nsenter", "--target", strconv.Itoa(p.pid()), "--pid", "sh", "-c", "kill -USR1 1")) // and is killed with it
	p.ends(128 + int(unix.SIGUSR1))
}

// R12: not as PID 1, from the moment on at which startgate says that it waits.
func TestNoSignalIsLostAroundHandOver(t *testing.T) {
	count, i := map[signalOutcome]int{}, 0
	sweep(t, 15*time.Millisecond, moments(t, 100), func(after time.Duration) {
		sig, target := theEnding[i%len(theEnding)], startSidecar(t, "")
		i++
		p := startWaiting(t, target, false)
		target.getReady(0)
		spin(after)
		p.send(sig)
		outcome := p.outcomeOf(sig)
		if count[outcome]++; !permitted(sig, outcome, p.log.String()) || outcome == crashed {
			p.Errorf("%v sent after %v: %s", sig, after, outcome)
		}
	}, func() bool { return count[caughtIt] > 0 && count[reached] > 0 })
	t.Log(count)
}

// R12: what was sent before the hand-over is not kept for the application.
func TestNoSignalIsKeptForTheApplication(t *testing.T) {
	target := startSidecar(t, "")
	p := start(t, waitingFor(target, modeSupervise))
	p.untilLog("is not ready yet")
	p.send(unix.SIGSTOP)
	p.send(unix.SIGUSR1)
	target.getReady(0)
	p.send(unix.SIGCONT)
	p.ends(128 + int(unix.SIGUSR1))
}

// A signal that is about the application's work does not end the asking of sidecars to
// quit.
func TestOtherSignalsDoNotEndTheQuit(t *testing.T) {
	s := newSidecar(t, "")
	s.quit = hang
	s.listen()
	p := startGate(t, []string{"WAIT_FOR=none", "QUIT=" + s.url(), "QUIT_TIMEOUT=10m"}, "sh", "-c", "exit 7")
	eventually(p, "the quit", func() bool { return len(s.quitRequests()) > 0 })
	for _, sig := range []syscall.Signal{unix.SIGUSR1, unix.SIGWINCH, 40} {
		p.send(sig)
	}
	p.send(unix.SIGTERM)
	p.ends(7)
	p.logHas("to shut down: SIGTERM")
}

// After a signal, nobody is asked what may be the cause of the wait. That once delayed the
// end by half a second and more.
func TestNoHintAfterASignal(t *testing.T) {
	needRoot(t)
	need(t, "strace")
	const silent = "127.0.0.1:15000" // Envoy's, which istio's hint asks
	for _, test := range []struct {
		name    string
		listens bool
		asks    []string // where only a hint connects
	}{
		{"nothing listens", false, []string{"198.51.100.1", "203.0.113.1"}},
		{"Envoy is silent", true, []string{"htons(15000)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, outbound)
			agent := newSidecar(t, agentAddr)
			if test.listens {
				agent.listen()
				listenOn(t, silent)
			}
			trace := filepath.Join(t.TempDir(), "trace")
			p := start(t, command(nil, "strace", "-f", "-qq", "-o", trace, "-e", "trace=connect", binary, "--", "true"))
			p.gate = p.childOf(p.pid(), binary)
			p.untilLog("is not ready yet")
			p.send(unix.SIGTERM)
			p.ends(128 + int(unix.SIGTERM))
			_, after, found := strings.Cut(readIfThere(t, trace), "--- SIGTERM")
			if !found {
				p.Fatalf("strace has seen no TERM")
			}
			for _, addr := range test.asks {
				if strings.Contains(after, addr) {
					p.Errorf("after TERM it asks %s:\n%s", addr, after)
				}
			}
		})
	}
}
