//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// S14: without prctl, pidfd_open and waitid it works with less, and says so.
func TestSuperviseWithLess(t *testing.T) {
	need(t, "cc")
	forbid := filepath.Join(t.TempDir(), "forbid")
	if out, err := exec.CommandContext(t.Context(), "cc", "-o", forbid, "testdata/forbid.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.ENOSYS} {
		cmd := exec.CommandContext(t.Context(), forbid, fmt.Sprint(int(errno)), binary, "--",
			"sh", "-c", "(sleep 0.05 &); trap 'exit 7' TERM; kill $PPID; sleep 9 >/dev/null 2>&1 & wait")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "STARTGATE_WAIT_FOR=none", "STARTGATE_SUPERVISE=true"}
		log, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 7 {
			t.Errorf("%v: %v, want exit status 7, of an application that got TERM", errno, err)
		}
		for _, want := range []string{
			"cannot become a subreaper: orphans are left to PID 1: " + errno.Error(),
			"cannot set a parent-death signal: the program goes on when this process is killed",
			"cannot use waitid, and do without: " + errno.Error(),
		} {
			if !strings.Contains(string(log), `level=WARN msg="`+want) {
				t.Errorf("%v: nothing says %q; log:\n%s", errno, want, log)
			}
		}
	}
}
