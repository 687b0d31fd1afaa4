//go:build linux

package tests

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// forbidden are system calls that a seccomp filter may forbid, and what startgate
// then says that it does without.
var forbidden = []struct {
	name  string
	calls []int
	says  []string
}{
	{"prctl", []int{unix.SYS_PRCTL}, []string{"cannot become a subreaper: ", "cannot set a parent-death signal: "}},
	{"pidfd_open", []int{unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL}, nil},
	{"waitid", []int{unix.SYS_WAITID}, []string{"cannot use waitid, and do without: "}},
	{"all", []int{unix.SYS_PRCTL, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_WAITID}, []string{
		"cannot become a subreaper: ", "cannot set a parent-death signal: ", "cannot use waitid, and do without: ",
	}},
}

// forbids puts the command under a filter by which these system calls fail so.
func forbids(t testing.TB, cmd *exec.Cmd, errno syscall.Errno, calls []int) *exec.Cmd {
	t.Helper()
	argv := []string{application(t), "forbid", strconv.Itoa(int(errno))}
	for _, call := range calls {
		argv = append(argv, strconv.Itoa(call))
	}
	cmd.Path, cmd.Args = argv[0], append(append(argv, "--"), cmd.Args...)
	return cmd
}

// S14.
func TestSuperviseWithLess(t *testing.T) {
	for _, test := range forbidden {
		for _, errno := range []syscall.Errno{unix.EPERM, unix.ENOSYS} {
			t.Run(fmt.Sprintf("%s %s", test.name, unix.ErrnoName(errno)), func(t *testing.T) {
				app := application(t)
				run := func(args ...string) *init1 {
					return begin(t, forbids(t, superviseCommand(t, append([]string{app}, args...)...), errno, test.calls))
				}
				i := run("signals")
				i.out.until(t, "ready")
				i.handsOn(unix.SIGTERM)
				if err := syscall.Kill(i.app(), unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				i.ends(128 + int(unix.SIGKILL))
				says(t, i.log.String(), test.says)
				run("crowd", "20", "42").ends(42)
			})
		}
	}
}

// says checks that the log has these warnings, and no others.
func says(t *testing.T, log string, want []string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(log, "level=WARN msg=\""+text) {
			t.Errorf("the log does not say %q", text)
		}
	}
	if got := strings.Count(log, "level=WARN"); got != len(want) {
		t.Errorf("the log has %d warnings, want %d", got, len(want))
	}
	if t.Failed() {
		t.Log(log)
	}
}

// S14 with S7: orphans are still reaped where they come in any case.
func TestReapsOrphansWithLess(t *testing.T) {
	need(t, "root")
	for _, test := range forbidden {
		t.Run(test.name, func(t *testing.T) {
			cmd := forbids(t, superviseCommand(t, application(t), "orphans", "100", "42"), unix.EPERM, test.calls)
			asInit(cmd)
			i := begin(t, cmd)
			i.out.until(t, "ready")
			i.reapsAll()
			i.say("end")
			i.ends(42)
		})
	}
}

// The limit of S14: a thread that may not wait for children at all has none.
func TestSuperviseWithoutAnyWait(t *testing.T) {
	i := begin(t, forbids(t, superviseCommand(t, application(t), "crowd", "0", "42"), unix.EPERM, []int{unix.SYS_WAITID, unix.SYS_WAIT4}))
	i.ends(codeFailed)
	if text := i.log.String(); !strings.Contains(text, "cannot wait for the program: operation not permitted") {
		t.Errorf("the log does not say why:\n%s", text)
	}
}
