//go:build linux

package tests

// Faults: little CPU, and system calls that seccomp forbids.

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cgroup is a control group of one controller, of version 1 or 2.
type cgroup struct {
	testing.TB
	dir string
}

var cgroups atomic.Int64

// newCgroup makes one; it is removed when the test ends.
func newCgroup(t testing.TB, controller string) *cgroup {
	t.Helper()
	needRoot(t)
	const root = "/sys/fs/cgroup"
	parent := filepath.Join(root, controller)
	if _, err := os.Stat(root + "/cgroup.subtree_control"); err == nil {
		parent = root
		_ = os.WriteFile(root+"/cgroup.subtree_control", []byte("+"+controller), 0)
	}
	g := &cgroup{t, filepath.Join(parent, "startgate-"+strconv.Itoa(os.Getpid())+"-"+strconv.FormatInt(cgroups.Add(1), 10))}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		skip(t, "needs cgroups: "+err.Error())
	}
	t.Cleanup(func() {
		eventually(t, "the cgroup to be empty", func() bool { return !errors.Is(unix.Rmdir(g.dir), unix.EBUSY) })
	})
	return g
}

// enter is a command that starts another in it.
func (g *cgroup) enter() []string {
	return []string{"sh", "-ec", `echo $$ >"$0/cgroup.procs"; exec "$@"`, g.dir}
}

func (g *cgroup) set(file, value string) {
	g.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, file), []byte(value), 0); err != nil {
		g.Fatal(err)
	}
}

func (g *cgroup) get(file string) string {
	g.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		g.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// limitCPU lets it have a hundredth of a CPU.
func (g *cgroup) limitCPU() {
	g.Helper()
	if _, err := os.Stat(filepath.Join(g.dir, "cpu.max")); err == nil {
		g.set("cpu.max", "1000 100000")
		return
	}
	g.set("cpu.cfs_period_us", "100000")
	g.set("cpu.cfs_quota_us", "1000")
}

func littleCPU(t *testing.T) {
	inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
		cpu := newCgroup(t, "cpu")
		cpu.limitCPU()
		never, a := newSidecar(t, agentAddr), newSidecar(t, agentAddr)
		a.answer = readyFrom(3)
		settings := []string{mode, "QUIT_TIMEOUT=10s"}
		never.listen()
		began := time.Now()
		ended := startFault(t, settings, cpu.enter()...)
		ended.untilLog("status 503")
		t.Logf("first answer after %v", time.Since(began))
		ended.stopsWaiting()
		never.refuse()
		a.listen()
		p := startFault(t, settings, cpu.enter()...)
		p.runsOnce()
		t.Logf("both done after %v", time.Since(began))
		if mode == modeQuit {
			never.checkQuits(1)
			a.checkQuits(1)
		}
	})
}

// newer are the calls that a profile of a few years ago does not know, and those
// that profiles leave out for what they can do.
var newer = []int{
	unix.SYS_PRCTL, unix.SYS_WAITID, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_PIDFD_GETFD,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_CLONE3, unix.SYS_OPENAT2,
	unix.SYS_FACCESSAT2, unix.SYS_EPOLL_PWAIT2, unix.SYS_CLOSE_RANGE, unix.SYS_COPY_FILE_RANGE, unix.SYS_RSEQ,
	unix.SYS_STATX, unix.SYS_RENAMEAT2, unix.SYS_MEMFD_CREATE, unix.SYS_PRLIMIT64, unix.SYS_SCHED_GETAFFINITY,
}

func olderProfile(t *testing.T) {
	needRoot(t)
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			through := forbid(t, errno, newer)
			inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
				never, a := newSidecar(t, agentAddr), newSidecar(t, agentAddr)
				a.answer = readyFrom(5)
				never.listen()
				ended := startFault(t, []string{mode}, through...)
				ended.untilLog("status 503")
				ended.stopsWaiting()
				never.refuse()
				a.listen()
				p := startFault(t, []string{mode}, through...)
				p.runsOnce()
				if mode == modeReplace {
					p.logHasNot("level=WARN")
					return
				}
				p.logHas("cannot set a parent-death signal", "waitid is unavailable")
				never.checkQuits(1)
				a.checkQuits(1)
			})
			t.Run("install", func(t *testing.T) {
				t.Parallel()
				to := t.TempDir() + "/gate"
				startShown(t, nil, append(through, binary, "--install", to)...).ends(0)
				startShown(t, nil, to, "--version").ends(0)
			})
		})
	}
}
