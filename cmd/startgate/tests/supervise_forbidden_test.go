//go:build linux

package tests

// S14: supervising where seccomp forbids what it uses.

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// forbidden are system calls that a seccomp filter may forbid, and what startgate
// then warns that it does without.
var forbidden = []struct {
	name  string
	calls []int
	says  []string
}{
	{"prctl", []int{unix.SYS_PRCTL}, []string{"cannot set a parent-death signal: "}},
	{"pidfd_open", []int{unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL}, nil},
	{"waitid", []int{unix.SYS_WAITID}, []string{"waitid is unavailable, using wait4 instead: "}},
	{"all", []int{unix.SYS_PRCTL, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_WAITID}, []string{
		"cannot set a parent-death signal: ", "waitid is unavailable, using wait4 instead: ",
	}},
}

// forbid is a command that starts another under a filter by which these system calls
// fail so.
func forbid(t testing.TB, errno syscall.Errno, calls []int) []string {
	t.Helper()
	argv := words(program(t, "supervised"), "forbid", int(errno))
	for _, call := range calls {
		argv = words(argv, call)
	}
	return words(argv, "--")
}

// superviseForbidden is a command that supervises testdata/supervised.c with these
// arguments under such a filter.
func superviseForbidden(t testing.TB, errno syscall.Errno, calls []int, args ...string) *exec.Cmd {
	t.Helper()
	return command(append(superviseSettings, "LOG_LEVEL=debug"), words(forbid(t, errno, calls), binary, "--", program(t, "supervised"), args)...)
}

// S14: signals, codes and warnings.
func TestSuperviseWithLess(t *testing.T) {
	for _, test := range forbidden {
		for _, errno := range []syscall.Errno{unix.EPERM, unix.ENOSYS, unix.EINVAL} {
			t.Run(fmt.Sprintf("%s %s", test.name, unix.ErrnoName(errno)), func(t *testing.T) {
				p := start(t, superviseForbidden(t, errno, test.calls, "signals"))
				p.untilOut("ready")
				p.forwards(unix.SIGTERM)
				if err := syscall.Kill(p.app(), unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				p.ends(128 + int(unix.SIGKILL))
				p.warnsOf(test.says)
				if slices.Contains(test.calls, unix.SYS_PRCTL) {
					p.logHas(noSubreaper)
				}
				start(t, superviseForbidden(t, errno, test.calls, "crowd", "20", "42")).ends(42)
			})
		}
	}
}

// noSubreaper is not a warning: most applications leave no orphans.
const noSubreaper = `level=DEBUG msg="cannot become a subreaper: orphans are left to PID 1: `

// S14: a kernel or a sandbox that has all but the subreaper is nothing to warn of at every
// start.
func TestSuperviseWithoutSubreaper(t *testing.T) {
	p := start(t, command(append(superviseSettings, "LOG_LEVEL=debug"), program(t, "supervised"), "forbid",
		strconv.Itoa(int(unix.EINVAL)), fmt.Sprintf("%d:%d", unix.SYS_PRCTL, unix.PR_SET_CHILD_SUBREAPER), "--",
		binary, "--", program(t, "supervised"), "crowd", "20", "42"))
	p.ends(42)
	p.logHas(noSubreaper)
	p.warnsOf(nil)
}

// warnsOf checks that the log has these warnings, and no others.
func (p *process) warnsOf(want []string) {
	p.Helper()
	for _, text := range want {
		p.logHas(`level=WARN msg="` + text)
	}
	if got := strings.Count(p.log.String(), "level=WARN"); got != len(want) {
		p.Errorf("the log has %d warnings, want %d", got, len(want))
	}
}

// S7, S14: orphans are still reaped where they come in any case.
func TestReapsOrphansWithLess(t *testing.T) {
	needRoot(t)
	for _, test := range forbidden {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, asPID1(superviseForbidden(t, unix.EPERM, test.calls, "orphans", "100", "42")))
			p.untilOut("ready")
			p.reapsAll()
			p.say("end")
			p.ends(42)
			p.logHasNot("parent-death signal", "subreaper") // which PID 1 does not need
		})
	}
}

// S14: the limit. A thread that may not wait for children at all has none.
func TestSuperviseWithoutAnyWait(t *testing.T) {
	p := start(t, superviseForbidden(t, unix.EPERM, []int{unix.SYS_WAITID, unix.SYS_WAIT4}, "crowd", "0", "42"))
	p.ends(codeFailed)
	p.logHas("cannot wait for the program: operation not permitted")
}
