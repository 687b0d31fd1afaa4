//go:build linux

package tests

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// S7.
func TestReapsOrphans(t *testing.T) {
	for _, test := range []struct {
		name    string
		init    bool
		orphans int
	}{{"PID 1", true, 300}, {"subreaper", false, 300}, {"subreaper of many", false, 1000}} {
		t.Run(test.name, func(t *testing.T) {
			cmd := superviseCommand(t, application(t), "orphans", strconv.Itoa(test.orphans), "42")
			if test.init {
				need(t, "root")
				asInit(cmd)
			}
			i := begin(t, cmd)
			i.out.until(t, "ready")
			if adopted := len(childrenOf(t, i.pid())) - 1; adopted != test.orphans {
				t.Errorf("startgate adopted %d orphans, want %d", adopted, test.orphans)
			}
			i.reapsAll()
			i.say("end")
			i.ends(42)
		})
	}
}

// reapsAll lets the orphans end, and waits until the application is the only child.
func (i *init1) reapsAll() {
	i.Helper()
	i.say("release")
	i.out.until(i, "released")
	until(i, "all orphans to be reaped", func() bool { return len(childrenOf(i, i.pid())) == 1 })
}

// S7: the application's own code, when 20 orphans end in the same instant, and
// both cores are busy.
func TestCodeWhenOrphansEndToo(t *testing.T) {
	app := application(t)
	defer keepBusy(2)()
	for n := range moments(t, 100) {
		want := n % 256
		i := begin(t, superviseCommand(t, app, "crowd", "20", strconv.Itoa(want)))
		if code := i.code(); code != want {
			t.Fatalf("time %d: exit code is %d, want %d\n%s", n, code, want, i.log)
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
	app := application(t)
	for n := range moments(t, 50) {
		i := begin(t, superviseCommand(t, app, "crowd", "20", "7"))
		spin(time.Duration(n%50) * 200 * time.Microsecond)
		_ = syscall.Kill(i.pid(), unix.SIGWINCH) // has no effect by default
		i.ends(7)
		if strings.Contains(i.log.String(), "cannot send") {
			t.Errorf("a signal was sent to nobody:\n%s", i.log)
		}
	}
}

// S12.
func TestLeavesOrphansThatOutlive(t *testing.T) {
	i := begin(t, superviseCommand(t, application(t), "outlived"))
	i.cmd.WaitDelay = 100 * time.Millisecond // the orphan keeps the pipes
	i.out.until(t, "orphan ")
	var orphan int
	if _, err := fmt.Sscanf(i.out.String(), "orphan %d", &orphan); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(orphan, unix.SIGKILL) })
	i.ends(3)
	if state := stateOf(orphan); state != "S" {
		t.Errorf("the orphan's state is %q, want S: it should be left alone", state)
	}
	if parent := parentOf(t, orphan); parent == i.pid() {
		t.Errorf("the orphan is still a child of %d", parent)
	}
}

// parentOf returns the PID of the parent of a process.
func parentOf(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	parent, err := strconv.Atoi(strings.Fields(rest)[1])
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

// S9.
func TestStoppedApplicationGoesOn(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN} {
		i := begin(t, superviseCommand(t, application(t), "terminal"))
		i.out.until(t, "ready")
		app := i.app()
		if err := syscall.Kill(app, sig); err != nil {
			t.Fatal(err)
		}
		until(t, "the application to stop", func() bool { return stateOf(app) == "T" })
		i.send(unix.SIGTERM) // is kept for it by the kernel
		i.send(unix.SIGCONT)
		i.out.until(t, "signal 15")
		i.say("exit 9")
		i.ends(9)
	}
}
