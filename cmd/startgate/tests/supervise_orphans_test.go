//go:build linux

package tests

// S7, S9 and S12: orphans are reaped in every phase, or left alone; a stopped application goes on.

import (
	"fmt"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// S7: hundreds of orphans that exit at once.
func TestReapsOrphans(t *testing.T) {
	for _, test := range []struct {
		name    string
		pid1    bool
		orphans int
	}{{"PID 1", true, 300}, {"subreaper", false, 300}, {"subreaper of many", false, 1000}} {
		t.Run(test.name, func(t *testing.T) {
			cmd := superviseCommand(program(t, "supervised"), "orphans", strconv.Itoa(test.orphans), "42")
			if test.pid1 {
				needRoot(t)
				asPID1(cmd)
			}
			p := start(t, cmd)
			p.untilOut("ready")
			if adopted := len(childrenOf(t, p.pid())) - 1; adopted != test.orphans {
				t.Errorf("startgate adopted %d orphans, want %d", adopted, test.orphans)
			}
			p.reapsAll()
			p.say("end")
			p.ends(42)
		})
	}
}

// reapsAll lets the orphans end, and waits until the application is the only child.
func (p *process) reapsAll() {
	p.Helper()
	p.say("release")
	p.untilOut("released")
	eventually(p, "all orphans to be reaped", func() bool { return len(childrenOf(p, p.pid())) == 1 })
}

// S7: those that end when the application has, and the sidecars are asked to quit.
func TestReapsOrphansDuringTheQuit(t *testing.T) {
	for _, pid1 := range []bool{true, false} {
		t.Run(fmt.Sprintf("PID 1 %t", pid1), func(t *testing.T) {
			s := newSidecar(t, "")
			s.quit = hang
			s.listen()
			cmd := command([]string{"WAIT_FOR=none", "QUIT=" + s.url(), "QUIT_TIMEOUT=10m"},
				binary, "--", program(t, "supervised"), "outlived")
			if pid1 {
				needRoot(t)
				asPID1(cmd)
			}
			p := start(t, cmd)
			eventually(p, "the quit", func() bool { return len(s.quitRequests()) > 0 })
			orphans := childrenOf(t, p.pid())
			if len(orphans) != 1 {
				p.Fatalf("startgate's children are %d, want one", orphans)
			}
			if err := syscall.Kill(orphans[0], unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(p, "the orphan to be reaped", func() bool { return stateOf(orphans[0]) == "" })
			p.send(unix.SIGTERM)
			p.ends(3)
		})
	}
}

// S7: those that come to PID 1 while it waits, such as what kubectl exec leaves behind,
// and the children of what became startgate.
func TestReapsOrphansDuringTheWait(t *testing.T) {
	needRoot(t)
	need(t, "nsenter")
	target := startSidecar(t, "")
	p := start(t, asPID1(command(target.settings(), program(t, "recorder"), "set", "zombie", "7", "--", binary, "--", "cat")))
	p.untilLog("is not ready yet")
	for range 3 {
		runToEnd(t, exec.Command("nsenter", "--target", strconv.Itoa(p.pid()), "--pid", "sh", "-c", "true & exec sleep 0.01")).ends(0)
		runToEnd(t, exec.Command("nsenter", "--target", strconv.Itoa(p.pid()), "--pid", "sh", "-c", "sleep 0.01 &")).ends(0)
	}
	eventually(p, "all orphans to be reaped", func() bool { return len(childrenOf(t, p.pid())) == 0 })
	target.getReady(0)
	p.say("it starts")
	p.untilOut("it starts")
}

// S7: the application's own code, when 20 orphans end in the same instant, and
// both cores are busy.
func TestCodeWhenOrphansEndToo(t *testing.T) {
	app := program(t, "supervised")
	defer keepBusy(2)()
	for n := range moments(t, 100) {
		want := n % 256
		p := start(t, superviseCommand(app, "crowd", "20", strconv.Itoa(want)))
		if p.ends(want); t.Failed() {
			return
		}
	}
}

// keepBusy keeps n cores busy until the returned function is called.
func keepBusy(n int) func() {
	var quit atomic.Bool
	for range n {
		go func() {
			for !quit.Load() {
			}
		}()
	}
	return func() { quit.Store(true) }
}

// S7: a signal that comes as all of this happens changes nothing.
func TestSignalAsTheApplicationEnds(t *testing.T) {
	app := program(t, "supervised")
	for n := range moments(t, 50) {
		p := start(t, superviseCommand(app, "crowd", "20", "7"))
		spin(time.Duration(n%50) * 200 * time.Microsecond)
		_ = syscall.Kill(p.pid(), unix.SIGCONT) // has no effect by default, before the start either
		p.ends(7)
		p.logHasNot("cannot send") // to nobody
	}
}

// S12: the orphan lives, and is not startgate's child.
func TestLeavesOrphansThatOutlive(t *testing.T) {
	cmd := superviseCommand(program(t, "supervised"), "outlived")
	cmd.WaitDelay = 100 * time.Millisecond // the orphan keeps the pipes
	p := start(t, cmd)
	p.untilOut("orphan ")
	var orphan int
	if _, err := fmt.Sscanf(p.out.String(), "orphan %d", &orphan); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(orphan, unix.SIGKILL) })
	p.ends(3)
	eventually(p, "the orphan to sleep", func() bool { return stateOf(orphan) == "S" }) // and to be left alone
	if parent := parentOf(orphan); parent == p.pid() {
		t.Errorf("the orphan is still a child of %d", parent)
	}
}

// S9: whichever signal stopped it.
func TestStoppedApplicationGoesOn(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN} {
		p := start(t, superviseCommand(program(t, "supervised"), "terminal"))
		p.untilOut("ready")
		app := p.app()
		if err := syscall.Kill(app, sig); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the application to stop", func() bool { return stateOf(app) == "T" })
		p.send(unix.SIGTERM) // is kept for it by the kernel
		p.send(unix.SIGCONT)
		p.untilOut("signal 15")
		p.say("exit 9")
		p.ends(9)
	}
}
