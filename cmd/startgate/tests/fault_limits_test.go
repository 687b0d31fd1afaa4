//go:build linux

package tests

// Faults: no more files, processes or addresses.

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// runtimeCode is what Go's runtime ends with when it cannot go on.
const runtimeCode = 2

func prlimit(limit string) []string { return []string{"prlimit", "--" + limit} }

func noFiles(t *testing.T) {
	need(t, "prlimit")
	inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
		a := startSidecar(t, agentAddr)
		const says = `answer="GET http://localhost:15020/healthz/ready: too many open files"`
		p := startFault(t, []string{mode, "BACKOFF_MAX=50ms"}, prlimit("nofile=30:30")...)
		p.untilLog("status 503")
		files(t, p.pid(), 8) // as few as startgate itself has open: none is left for a socket
		p.untilLog("too many open files")
		ended := startFault(t, []string{mode, "QUIT_TIMEOUT=300ms"}, prlimit("nofile=8:8")...)
		ended.untilLog(says)
		ended.stopsWaiting()
		if mode == modeQuit {
			ended.logHas("istio never answered; if it starts later, the pod will not complete", `answer="POST http://localhost:15020/quitquitquit: too many open files"`)
		}
		a.getReady(0)
		files(t, p.pid(), 20)
		p.runsOnce()
		p.outHas("may open 20 of 30 files")
	})
	t.Run("unchanged", func(t *testing.T) {
		t.Parallel()
		for _, limit := range []string{"8:8", "9:12"} {
			p := startFault(t, []string{"WAIT_FOR=none"}, prlimit("nofile="+limit)...)
			p.runsOnce()
			p.outHas("may open " + strings.Replace(limit, ":", " of ", 1) + " files")
		}
	})
	t.Run("too few for Go", func(t *testing.T) {
		t.Parallel()
		startFault(t, []string{"WAIT_FOR=none", "METRICS=127.0.0.1:1"}, prlimit("nofile=5:5")...).ends(runtimeCode)
	})
}

// files sets how many files a process may open, of 30.
func files(t *testing.T, pid int, n uint64) {
	t.Helper()
	limit := unix.Rlimit{Cur: n, Max: 30}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}

func littleSpace(t *testing.T) {
	need(t, "prlimit")
	for _, mode := range []string{modeReplace, modeSupervise} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			target := startSidecar(t, "")
			settings := []string{mode, "WAIT_FOR=" + target.url(), "BACKOFF_MAX=50ms"}
			p := startFault(t, settings, prlimit("as=3000000000")...)
			target.untilAskedAgain()
			target.getReady(0)
			p.untilOut("ready,")
			limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.pid()))
			if err != nil || !strings.Contains(string(limits), "3000000000") {
				t.Errorf("the limits are %v\n%s", err, limits)
			}
			p.runsOnce()
			startFault(t, settings, prlimit("as=400000000")...).ends(runtimeCode)
		})
	}
}

// lacksThreads reports whether Go's runtime needed a thread and could not have it.
func (p *process) lacksThreads() bool {
	return strings.Contains(p.log.String(), "failed to create new OS thread")
}

// endsOrLacks checks the exit code, which is the runtime's when it lacks a thread,
// or that of a signal which comes just then.
func (p *process) endsOrLacks(want int) {
	p.Helper()
	code := p.code()
	if lacks := p.lacksThreads(); lacks && code != runtimeCode && code != -1 || !lacks && code != want {
		p.Errorf("exit code is %d, want %d", code, want)
	}
}

func noProcesses(t *testing.T) {
	need(t, "prlimit", "setpriv")
	inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
		for _, errno := range []unix.Errno{unix.EAGAIN, unix.ENOMEM} {
			a := newSidecar(t, agentAddr)
			a.answer = readyFrom(3)
			a.listen()
			p := startFault(t, []string{mode}, program(t, "fault"), "nofork", strconv.Itoa(int(errno)))
			if mode == modeReplace {
				p.runsOnce()
				a.refuse()
				continue
			}
			p.ends(126)
			p.logHas("cannot run "+program(t, "fault")+": "+errno.Error(), "istio is gone")
			a.checkQuits(1)
		}
	})
	t.Run("pod", func(t *testing.T) {
		inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
			pids := newCgroup(t, "pids")
			a := newSidecar(t, agentAddr)
			a.answer = readyFrom(5)
			p := startFault(t, []string{mode}, pids.enter()...)
			p.untilLog("connection refused")
			pids.set("pids.max", pids.get("pids.current"))
			a.listen()
			eventually(t, "the application, or the end", func() bool {
				return p.lacksThreads() || len(a.quitRequests()) > 0 || p.out.String() != ""
			})
			if mode == modeReplace {
				p.send(unix.SIGTERM)
				p.endsOrLacks(42)
				return
			}
			p.endsOrLacks(126)
			if !p.lacksThreads() {
				p.logHas("cannot run " + program(t, "fault") + ": resource temporarily unavailable")
				a.checkQuits(1)
			}
		})
	})
	t.Run("pod, while the application runs", func(t *testing.T) {
		inModes(t, []string{modeSupervise}, func(t *testing.T, mode string) {
			pids := newCgroup(t, "pids")
			p := startFault(t, []string{mode, "WAIT_FOR=none"}, pids.enter()...)
			p.untilOut("ready,")
			pids.set("pids.max", pids.get("pids.current"))
			for range 100 {
				p.send(unix.SIGWINCH) // has no effect by default
			}
			p.send(unix.SIGTERM)
			p.endsOrLacks(42)
		})
	})
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		needRoot(t)
		app := program(t, "fault")
		if err := os.Chmod(filepath.Dir(app), 0o755); err != nil {
			t.Fatal(err)
		}
		p := startFault(t, []string{modeSupervise, "WAIT_FOR=none"}, "setpriv", "--reuid=65534", "--clear-groups", "prlimit", "--nproc=1")
		p.ends(runtimeCode)
		p.logHas("failed to create new OS thread")
	})
}
