//go:build linux

package tests

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// runtimeCode is what Go's runtime ends with when it cannot go on.
const runtimeCode = 2

func prlimit(limit string) []string { return []string{"prlimit", "--" + limit} }

func noFiles(t *testing.T) {
	need(t, "prlimit")
	inModes(t, []string{replaces, quitsIstio}, func(t *testing.T, mode string) {
		var ready atomic.Bool
		a := &agent{TB: t, answer: func(_ int64, conn net.Conn) { respond(conn, map[bool]int{true: 200, false: 503}[ready.Load()]) }}
		a.listen()
		const says = "istio is not ready yet: GET http://localhost:15020/healthz/ready: too many open files"
		i := struck(t, []string{mode, "BACKOFF_MAX=50ms"}, prlimit("nofile=30:30")...)
		i.log.until(t, "status 503")
		files(t, i.pid(), 8) // as few as startgate itself has open: none is left for a socket
		i.log.until(t, "too many open files")
		ended := struck(t, []string{mode, "QUIT_TIMEOUT=300ms"}, prlimit("nofile=8:8")...)
		ended.log.until(t, says)
		ended.yields()
		if mode == quitsIstio {
			ended.tells("istio was never seen, and may still start and keep the pod: POST http://localhost:15020/quitquitquit: too many open files")
		}
		ready.Store(true)
		files(t, i.pid(), 20)
		i.starts()
		if want := "may open 20 of 30 files"; !strings.Contains(i.out.String(), want) {
			t.Errorf("the application says\n%swant %s", i.out, want)
		}
	})
	t.Run("unchanged", func(t *testing.T) {
		t.Parallel()
		for _, limit := range []string{"8:8", "9:12"} {
			i := struck(t, []string{"WAIT_FOR=none"}, prlimit("nofile="+limit)...)
			i.starts()
			if want := "may open " + strings.Replace(limit, ":", " of ", 1) + " files"; !strings.Contains(i.out.String(), want) {
				t.Errorf("the application says\n%swant %s", i.out, want)
			}
		}
	})
	t.Run("too few for Go", func(t *testing.T) {
		t.Parallel()
		struck(t, []string{"WAIT_FOR=none", "METRICS=127.0.0.1:1"}, prlimit("nofile=5:5")...).ends(runtimeCode)
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
	for _, mode := range []string{replaces, supervises} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			target := newGated(t)
			settings := []string{mode, "WAIT_FOR=" + target.url, "BACKOFF_MAX=50ms"}
			i := struck(t, settings, prlimit("as=3000000000")...)
			target.asked(t)
			target.open()
			i.out.until(t, "ready,")
			limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", i.pid()))
			if err != nil || !strings.Contains(string(limits), "3000000000") {
				t.Errorf("the limits are %v\n%s", err, limits)
			}
			i.starts()
			struck(t, settings, prlimit("as=400000000")...).ends(runtimeCode)
		})
	}
}

// lacksThreads tells whether Go's runtime needed a thread and could not have it.
func (i *init1) lacksThreads() bool {
	return strings.Contains(i.log.String(), "failed to create new OS thread")
}

// endsOrLacks checks the exit code, which is the runtime's when it lacks a thread,
// or that of a signal which comes just then.
func (i *init1) endsOrLacks(want int) {
	i.Helper()
	code := i.code()
	if lacks := i.lacksThreads(); lacks && code != runtimeCode && code != -1 || !lacks && code != want {
		i.Errorf("exit code is %d, want %d", code, want)
	}
}

func noProcesses(t *testing.T) {
	need(t, "prlimit", "setpriv")
	inModes(t, []string{replaces, quitsIstio}, func(t *testing.T, mode string) {
		for _, errno := range []unix.Errno{unix.EAGAIN, unix.ENOMEM} {
			a := &agent{TB: t, answer: readyFrom(3)}
			a.listen()
			i := struck(t, []string{mode}, faultProgram(t), "nofork", strconv.Itoa(int(errno)))
			if mode == replaces {
				i.starts()
				a.close()
				continue
			}
			i.ends(126)
			i.tells("cannot run "+faultProgram(t)+": "+errno.Error(), "istio is gone")
			a.wasTold(1)
		}
	})
	t.Run("pod", func(t *testing.T) {
		inModes(t, []string{replaces, quitsIstio}, func(t *testing.T, mode string) {
			pids := newCgroup(t, "pids")
			a := &agent{TB: t, answer: readyFrom(5)}
			i := struck(t, []string{mode}, pids.enter()...)
			i.log.until(t, "connection refused")
			pids.set("pids.max", pids.get("pids.current"))
			a.listen()
			until(t, "the application, or the end", func() bool {
				return i.lacksThreads() || a.told.Load() > 0 || i.out.String() != ""
			})
			if mode == replaces {
				i.send(unix.SIGTERM)
				i.endsOrLacks(42)
				return
			}
			i.endsOrLacks(126)
			if !i.lacksThreads() {
				i.tells("cannot run " + faultProgram(t) + ": resource temporarily unavailable")
				a.wasTold(1)
			}
		})
	})
	t.Run("pod, while the application runs", func(t *testing.T) {
		inModes(t, []string{supervises}, func(t *testing.T, mode string) {
			pids := newCgroup(t, "pids")
			i := struck(t, []string{mode, "WAIT_FOR=none"}, pids.enter()...)
			i.out.until(t, "ready,")
			pids.set("pids.max", pids.get("pids.current"))
			for range 100 {
				i.send(unix.SIGWINCH) // has no effect by default
			}
			i.send(unix.SIGTERM)
			i.endsOrLacks(42)
		})
	})
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		need(t, "root")
		app := faultProgram(t)
		if err := os.Chmod(filepath.Dir(app), 0o755); err != nil {
			t.Fatal(err)
		}
		i := struck(t, []string{supervises, "WAIT_FOR=none"}, "setpriv", "--reuid=65534", "--clear-groups", "prlimit", "--nproc=1")
		i.ends(runtimeCode)
		i.tells("failed to create new OS thread")
	})
}
