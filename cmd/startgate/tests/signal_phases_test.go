//go:build linux

package tests

// R12, R13 and S2: every signal once, by kill(2), in each phase of a run beside the wait, and
// what a program that is started directly and tini make of it.

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
	"golang.org/x/sys/unix"
)

// TestREADMESignals finds a table that differs from the one that the tests hold.
func TestREADMESignals(t *testing.T) {
	cell := func(e effects) string {
		if e.other != e.pid1 {
			return fmt.Sprintf("%s; PID 1: %s", e.other, e.pid1)
		}
		return string(e.other)
	}
	rows := [][]string{{"signal", "a program that handles none", "startgate, until the hand-over", "supervising", "asking sidecars to shut down", "tini"}}
	row := map[string]int{}
	for _, test := range signalTable {
		cells := []string{cell(test.direct), cell(test.waiting), cell(test.supervising), cell(test.quitting), cell(test.tini)}
		key := strings.Join(cells, "|")
		if row[key] == 0 {
			row[key] = len(rows)
			rows = append(rows, append([]string{""}, cells...))
		}
		names := &rows[row[key]][0]
		*names = strings.TrimPrefix(*names+", "+nameOf(test.sig), ", ")
	}
	for _, row := range rows {
		row[0] = strings.Replace(row[0], strings.Join(numbers(35, 64), ", "), "35 to 64", 1)
	}
	markdown.CheckTable(t, pid1File, "signals", rows)
}

// nameOf returns the name of a signal without SIG, or its number.
func nameOf(sig syscall.Signal) string {
	if sig >= 32 {
		return fmt.Sprint(int(sig))
	}
	return strings.TrimPrefix(unix.SignalName(sig), "SIG")
}

func numbers(first, last int) (all []string) {
	for n := first; n <= last; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return all
}

// inPIDs runs a test with PID 1 of a namespace, and with another process.
func inPIDs(t *testing.T, test func(t *testing.T, pid1 bool)) {
	t.Helper()
	for _, pid1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("PID 1: %t", pid1), func(t *testing.T) {
			t.Parallel()
			if pid1 {
				needRoot(t)
			}
			test(t, pid1)
		})
	}
}

// startAs starts a command as PID 1 of a namespace or not, in a job of its own, which is
// stopped as those of a shell are.
func startAs(t testing.TB, cmd *exec.Cmd, pid1 bool) *process {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if pid1 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	return start(t, cmd)
}

// stopsAndGoesOn checks that a signal has stopped it, and continues it.
func (p *process) stopsAndGoesOn() {
	p.Helper()
	eventually(p, "it to be stopped", func() bool { return stateOf(p.pid()) == "T" })
	p.send(unix.SIGCONT)
}

// killedBy checks that a signal has ended it.
func (p *process) killedBy(sig syscall.Signal) {
	p.Helper()
	if status := p.end(); !status.Signaled() || status.Signal() != sig {
		p.Errorf("%v has not killed it", sig)
	}
}

// R13: while startgate has read its settings, and writes a warning to a pipe that nobody
// reads yet.
func TestEverySignalAtTheStart(t *testing.T) {
	inPIDs(t, func(t *testing.T, pid1 bool) {
		for _, test := range signalTable {
			p, release := startHeld(t, test.sig, pid1)
			p.send(test.sig)
			if test.waiting.on(pid1) == stopped {
				p.stopsAndGoesOn()
			}
			release()
			switch test.waiting.on(pid1) {
			case ended:
				p.ends(128 + int(test.sig))
			case killing:
				p.killedBy(test.sig)
			case stopped, passed, handedOn, hurried:
				p.ends(0)
				p.outHas("APP UP")
				continue
			}
			if p.out.String() != "" {
				p.Errorf("%v: the application was started", test.sig)
			}
		}
	})
}

// startHeld starts startgate in front of echo, and returns when it writes its first line
// to a full pipe. release reads that, and makes its target ready.
func startHeld(t *testing.T, sig syscall.Signal, pid1 bool) (p *process, release func()) {
	t.Helper()
	r, w := filledPipe(t)
	target := t.TempDir() + "/ready"
	cmd := command([]string{"WAIT_FOR=file://" + target + "#empty", "BACKOFF_MAX=10ms", "UNKNOWN=warns"}, binary, "--", "echo", "APP UP")
	cmd.Stderr = w
	if sig == unix.SIGWINCH {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // which leaves the terminal
	}
	p = startAs(t, cmd, pid1)
	w.Close()
	eventually(p, "it to write", func() bool { return inPoll(p.pid()) })
	return p, func() {
		go func() { _, _ = io.Copy(io.Discard, r) }()
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// inPoll reports whether the first thread of a process is in poll(2), or ppoll(2).
func inPoll(pid int) bool {
	call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	number, _, _ := strings.Cut(string(call), " ")
	return number == fmt.Sprint(unix.SYS_PPOLL) || runtime.GOARCH == "amd64" && number == "7"
}

// filledPipe returns a pipe that is full.
func filledPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	w = fullPipe(t)
	r, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, w
}

// R12: after the hand-over each signal is the program's, in its effect on a program that
// handles none.
func TestEverySignalAfterTheHandOver(t *testing.T) {
	need(t, "sleep")
	inPIDs(t, func(t *testing.T, pid1 bool) {
		for name, through := range map[string][]string{"directly": nil, "replacing": {binary, "--"}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var p *process
				for _, test := range signalTable {
					if p == nil {
						p = startSleep(t, pid1, through)
					}
					if p.defaults(test.sig, test.direct.on(pid1)) {
						p = nil
					}
				}
			})
		}
	})
}

// startSleep returns when sleep runs, whichever file that is.
func startSleep(t *testing.T, pid1 bool, through []string) *process {
	t.Helper()
	path, err := exec.LookPath("sleep")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := startAs(t, command([]string{"WAIT_FOR=none"}, words(through, "sleep", "100")...), pid1)
	eventually(p, "sleep to run", func() bool { return programOf(p.pid()) == path })
	return p
}

// defaults sends a program a signal that it does not handle, and reports whether that
// ended it, as it should.
func (p *process) defaults(sig syscall.Signal, effect signalEffect) bool {
	p.Helper()
	p.send(sig)
	switch effect {
	case killing:
		p.killedBy(sig)
		return true
	case stopped:
		p.stopsAndGoesOn()
	case ended, passed, handedOn, hurried:
	}
	return false
}

// R12: and so it is when the program handles it.
func TestEverySignalIsThePrograms(t *testing.T) {
	inPIDs(t, func(t *testing.T, pid1 bool) {
		for _, through := range [][]string{nil, {binary, "--"}} {
			p := startAs(t, command([]string{"WAIT_FOR=none"}, words(through, program(t, "supervised"), "signals")...), pid1)
			p.untilOut("ready")
			for _, sig := range everySignal() {
				p.forwards(sig)
			}
			p.hasGot(everySignal()...)
		}
	})
}

// S2: each signal that a supervising startgate gets, and tini.
func TestEverySignalWhileSupervising(t *testing.T) {
	inPIDs(t, func(t *testing.T, pid1 bool) {
		t.Run("startgate", func(t *testing.T) {
			t.Parallel()
			supervisedSignals(t, pid1, []string{binary, "--"}, func(n int) effects { return signalTable[n].supervising })
		})
		t.Run("tini", func(t *testing.T) {
			t.Parallel()
			need(t, "tini")
			supervisedSignals(t, pid1, []string{"tini", "-s", "--"}, func(n int) effects { return signalTable[n].tini })
		})
	})
}

// supervisedSignals sends each signal to an init, and checks what the application gets.
func supervisedSignals(t *testing.T, pid1 bool, init []string, effect func(int) effects) {
	t.Helper()
	startOne := func() *process {
		p := startAs(t, command(superviseSettings, words(init, program(t, "supervised"), "signals")...), pid1)
		p.untilOut("ready")
		return p
	}
	p := startOne()
	var want []syscall.Signal
	for n, test := range signalTable {
		switch effect(n).on(pid1) {
		case handedOn:
			p.forwards(test.sig)
			want = append(want, test.sig)
		case killing:
			killed := startOne()
			app := killed.app()
			killed.send(test.sig)
			eventually(t, "its end", func() bool { return isGone(killed.pid()) })
			_ = syscall.Kill(app, unix.SIGKILL) // tini leaves it behind
			killed.killedBy(test.sig)
		case stopped:
			p.send(test.sig)
			p.stopsAndGoesOn()
			eventually(p, "CONT", func() bool { return len(p.got()) > len(want) })
			want = append(want, unix.SIGCONT)
		case ended, passed, hurried:
			p.send(test.sig)
		}
	}
	p.forwards(unix.SIGUSR1) // after which there is none on its way
	p.hasGot(append(want, unix.SIGUSR1)...)
}

// Each signal while sidecars are asked to shut down. Those that are about the
// application's work do not end that.
func TestEverySignalWhileQuitting(t *testing.T) {
	inPIDs(t, func(t *testing.T, pid1 bool) {
		p := startQuitting(t, pid1)
		for _, test := range signalTable {
			switch test.quitting.on(pid1) {
			case hurried:
				p := startQuitting(t, pid1)
				p.send(test.sig)
				p.ends(7)
				p.logHas("to shut down: " + unix.SignalName(test.sig))
			case killing:
				p := startQuitting(t, pid1)
				p.send(test.sig)
				p.killedBy(test.sig)
			case stopped:
				p.send(test.sig)
				p.stopsAndGoesOn()
			case ended, passed, handedOn:
				p.untilHandlersReturn()
				p.send(test.sig)
			}
		}
		p.send(unix.SIGTERM)
		p.ends(7)
		p.logHas("to shut down: SIGTERM")
	})
}

// untilHandlersReturn returns when no thread has a signal to handle, or handles one: then it
// blocks all.
func (p *process) untilHandlersReturn() {
	p.Helper()
	busy := regexp.MustCompile(`(?m)^(SigPnd|ShdPnd|SigBlk):.*[1-9a-f]`)
	eventually(p, "its handlers to return", func() bool {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.pid()))
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil && busy.Match(text) {
				return false
			}
		}
		return err == nil && len(files) > 0
	})
}

// A limit of some kernels: of a PID 1 that has threads, they keep a signal away that Go cannot
// catch only while the main thread handles no other. Linux 6.1 and 6.12 have it.
func TestUncatchableSignalDuringAHandlerOfPID1(t *testing.T) {
	needRoot(t)
	for _, sig := range []syscall.Signal{32, 34} {
		if endsBlockingPID1(t, sig) {
			eventually(t, fmt.Sprintf("signal %d to end it", int(sig)), func() bool { return endsHandlingPID1(t, sig) })
			continue
		}
		for range 10 {
			if endsHandlingPID1(t, sig) {
				t.Errorf("signal %d ended it, on a kernel that drops it", int(sig))
			}
		}
	}
}

// endsBlockingPID1 reports whether a signal ends a PID 1 whose main thread blocks it, and no
// other thread does.
func endsBlockingPID1(t *testing.T, sig syscall.Signal) bool {
	t.Helper()
	p := start(t, asPID1(exec.Command(program(t, "blocking"))))
	p.untilOut("ready")
	p.send(sig)
	p.kill()
	return p.end().Signal() == sig
}

// endsHandlingPID1 reports whether a signal ended startgate as PID 1. Many were sent, each
// after one that it handles.
func endsHandlingPID1(t *testing.T, sig syscall.Signal) bool {
	t.Helper()
	p := startQuitting(t, true)
	for range 100 {
		if unix.Kill(p.pid(), unix.SIGUSR1) != nil || unix.Kill(p.pid(), sig) != nil {
			break // it is gone
		}
	}
	p.kill()
	return p.end().Signal() == sig
}

// startQuitting returns when startgate asks a silent sidecar to shut down, after an
// application that ended with 7.
func startQuitting(t *testing.T, pid1 bool) *process {
	t.Helper()
	s := newSidecar(t, "")
	s.quit = hang
	s.listen()
	p := startAs(t, command([]string{"WAIT_FOR=none", "QUIT=" + s.url(), "QUIT_TIMEOUT=10m"}, binary, "--", "sh", "-c", "exit 7"), pid1)
	eventually(p, "the quit", func() bool { return len(s.quitRequests()) > 0 })
	return p
}

// S2: a limit. Go takes what sigqueue(3) sends of these signals for a fault of startgate's.
func TestQueuedFaultEndsStartgate(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGILL, unix.SIGTRAP, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSTKFLT, unix.SIGSYS} {
		p := startSupervising(t, "signals")
		queue(t, p.pid(), sig)
		p.ends(runtimeCode)
	}
}

// queue sends a signal as sigqueue(3) does.
func queue(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	const fromQueue = -1 // SI_QUEUE
	info := unix.Siginfo{Signo: int32(sig), Code: fromQueue}
	if _, _, errno := unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(sig), uintptr(unsafe.Pointer(&info))); errno != 0 {
		t.Fatal(errno)
	}
}
