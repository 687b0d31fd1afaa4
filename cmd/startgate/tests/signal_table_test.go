//go:build linux

package tests

// R13: what each signal does to startgate while it waits, and the table of what it does in
// every phase.

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

// signalEffect is what a signal does to a process, as the table in examples/pid1 has it.
type signalEffect string

const (
	ended    signalEffect = "ends it with 128+n"
	killing  signalEffect = "kills it"
	stopped  signalEffect = "stops it until CONT"
	passed   signalEffect = "nothing"
	handedOn signalEffect = "handed on"
	hurried  signalEffect = "ends the asking"
)

// effects are a signal's on a process that is not PID 1, and on PID 1.
type effects struct{ other, pid1 signalEffect }

// on returns the effect on PID 1, or on another process.
func (e effects) on(pid1 bool) signalEffect {
	if pid1 {
		return e.pid1
	}
	return e.other
}

// The effects that many signals have.
var (
	ends    = effects{ended, ended}
	kills   = effects{killing, killing}
	halts   = effects{stopped, stopped}
	nothing = effects{passed, passed}
	forward = effects{handedOn, handedOn}
	hurries = effects{hurried, hurried}
	// Of PID 1 the kernel keeps away what it does not handle.
	killsOthers = effects{killing, passed}
	haltsOthers = effects{stopped, passed}
)

// signalTable has every signal.
var signalTable = []struct {
	sig         syscall.Signal
	direct      effects // on a program that handles none
	waiting     effects // on startgate, from its settings to the hand-over
	supervising effects
	quitting    effects // while it asks sidecars to shut down
	tini        effects // on tini, as an init and as a subreaper
}{
	{unix.SIGHUP, killsOthers, ends, forward, hurries, forward},
	{unix.SIGINT, killsOthers, ends, forward, hurries, forward},
	{unix.SIGQUIT, killsOthers, ends, forward, hurries, forward},
	{unix.SIGILL, killsOthers, ends, forward, nothing, killsOthers},
	{unix.SIGTRAP, killsOthers, ends, forward, nothing, killsOthers},
	{unix.SIGABRT, killsOthers, ends, forward, nothing, killsOthers},
	{unix.SIGBUS, killsOthers, ends, forward, nothing, killsOthers},
	{unix.SIGFPE, killsOthers, ends, forward, nothing, killsOthers},
	{unix.SIGKILL, kills, kills, kills, kills, kills},
	{unix.SIGUSR1, killsOthers, ends, forward, nothing, forward},
	{unix.SIGSEGV, killsOthers, ends, forward, nothing, killsOthers},
	{unix.SIGUSR2, killsOthers, ends, forward, nothing, forward},
	{unix.SIGPIPE, killsOthers, nothing, forward, nothing, forward},
	{unix.SIGALRM, killsOthers, ends, forward, nothing, forward},
	{unix.SIGTERM, killsOthers, ends, forward, hurries, forward},
	{unix.SIGSTKFLT, killsOthers, ends, forward, nothing, forward},
	{unix.SIGCHLD, nothing, nothing, nothing, nothing, nothing},
	{unix.SIGCONT, nothing, nothing, forward, nothing, forward},
	{unix.SIGSTOP, halts, halts, halts, halts, halts},
	{unix.SIGTSTP, haltsOthers, haltsOthers, forward, nothing, forward},
	{unix.SIGTTIN, haltsOthers, haltsOthers, forward, nothing, nothing},
	{unix.SIGTTOU, haltsOthers, haltsOthers, forward, nothing, nothing},
	{unix.SIGURG, nothing, nothing, nothing, nothing, forward},
	{unix.SIGXCPU, killsOthers, ends, forward, nothing, forward},
	{unix.SIGXFSZ, killsOthers, nothing, forward, nothing, forward},
	{unix.SIGVTALRM, killsOthers, ends, forward, nothing, forward},
	{unix.SIGPROF, killsOthers, nothing, nothing, nothing, forward},
	{unix.SIGWINCH, nothing, ends, forward, nothing, forward}, // without a terminal
	{unix.SIGIO, killsOthers, ends, forward, nothing, forward},
	{unix.SIGPWR, killsOthers, ends, forward, nothing, forward},
	{unix.SIGSYS, killsOthers, ends, forward, nothing, killsOthers},
	{32, killsOthers, killsOthers, killsOthers, killsOthers, killsOthers},
	{33, killsOthers, nothing, nothing, nothing, killsOthers},
	{34, killsOthers, killsOthers, killsOthers, killsOthers, forward},
	{35, killsOthers, ends, forward, nothing, forward},
	{36, killsOthers, ends, forward, nothing, forward},
	{37, killsOthers, ends, forward, nothing, forward},
	{38, killsOthers, ends, forward, nothing, forward},
	{39, killsOthers, ends, forward, nothing, forward},
	{40, killsOthers, ends, forward, nothing, forward},
	{41, killsOthers, ends, forward, nothing, forward},
	{42, killsOthers, ends, forward, nothing, forward},
	{43, killsOthers, ends, forward, nothing, forward},
	{44, killsOthers, ends, forward, nothing, forward},
	{45, killsOthers, ends, forward, nothing, forward},
	{46, killsOthers, ends, forward, nothing, forward},
	{47, killsOthers, ends, forward, nothing, forward},
	{48, killsOthers, ends, forward, nothing, forward},
	{49, killsOthers, ends, forward, nothing, forward},
	{50, killsOthers, ends, forward, nothing, forward},
	{51, killsOthers, ends, forward, nothing, forward},
	{52, killsOthers, ends, forward, nothing, forward},
	{53, killsOthers, ends, forward, nothing, forward},
	{54, killsOthers, ends, forward, nothing, forward},
	{55, killsOthers, ends, forward, nothing, forward},
	{56, killsOthers, ends, forward, nothing, forward},
	{57, killsOthers, ends, forward, nothing, forward},
	{58, killsOthers, ends, forward, nothing, forward},
	{59, killsOthers, ends, forward, nothing, forward},
	{60, killsOthers, ends, forward, nothing, forward},
	{61, killsOthers, ends, forward, nothing, forward},
	{62, killsOthers, ends, forward, nothing, forward},
	{63, killsOthers, ends, forward, nothing, forward},
	{64, killsOthers, ends, forward, nothing, forward},
}

// TestSignalTable finds a signal that is not in the table.
func TestSignalTable(t *testing.T) {
	for n := range 64 {
		if n >= len(signalTable) || signalTable[n].sig != syscall.Signal(n+1) {
			t.Fatalf("signal %d is not in the table", n+1)
		}
	}
}

// R13: each signal once, as PID 1 and as any other, and whichever way it would have
// handed over.
func TestEverySignalWhileWaiting(t *testing.T) {
	for _, pid1 := range []bool{false, true} {
		for _, mode := range []string{modeReplace, modeSupervise} {
			t.Run(fmt.Sprintf("PID 1: %t, %s", pid1, mode), func(t *testing.T) {
				t.Parallel()
				if pid1 {
					needRoot(t)
				}
				target := startSidecar(t, "")
				for _, test := range signalTable {
					cmd := waitingFor(target, mode)
					if test.sig == unix.SIGWINCH {
						cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // which leaves the terminal
					}
					if pid1 {
						cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
					}
					start(t, cmd).signalled(test.sig, test.waiting.on(pid1), target)
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
