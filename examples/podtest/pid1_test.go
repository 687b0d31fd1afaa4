//go:build linux

package podtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// modes are the two of handing over, by the settings that choose them.
var modes = map[string][]string{
	"replace":   {"STARTGATE_WAIT_FOR=none"},
	"supervise": {"STARTGATE_WAIT_FOR=none", "STARTGATE_SUPERVISE=true"},
}

// grace is a grace period that shows when somebody waits for its end.
const grace = 30 * time.Second

// alone is a pod of one container, without a sidecar.
func alone(settings []string, script string) object {
	app := shell("app", script)
	setEnv(app, settings...)
	return object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": "alone"},
		"spec": object{
			"restartPolicy": "Never",
			"volumes":       []any{object{"name": "state", "emptyDir": object{}}},
			"containers":    []any{app},
		},
	}
}

// TERM ends PID 1 at once while it waits.
func TestStopWhileWaiting(t *testing.T) {
	host.ready(t)
	for _, quit := range [][]string{nil, {"STARTGATE_SUPERVISE=true"}} {
		t.Run(strings.Join(quit, ""), func(t *testing.T) {
			t.Parallel()
			p := play(t, alone(append(quit, "STARTGATE_WAIT_FOR=file:///missing"), "echo working"))
			p.until("app", "is not ready yet", 1)
			began := time.Now()
			p.stop(grace)
			took := time.Since(began)
			if s := p.state("app"); s.ExitCode != 143 || took > grace/2 || strings.Contains(p.log("app"), "working\n") {
				t.Errorf("code %d after %v, want 143 at once", s.ExitCode, took)
			}
			p.says("app", "ended by SIGTERM while file:///missing was not ready")
		})
	}
}

// TERM reaches the application after the hand-over, and the code is its own.
func TestStopApplication(t *testing.T) {
	host.ready(t)
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := play(t, alone(settings, "trap 'echo stopping; exit 7' TERM; "+works+" & wait"))
			p.until("app", "working", 1)
			began := time.Now()
			p.stop(grace)
			took := time.Since(began)
			if s := p.state("app"); s.ExitCode != 7 || took > grace/2 {
				t.Errorf("code %d after %v, want 7 at once", s.ExitCode, took)
			}
			p.says("app", "mode="+mode, "stopping")
		})
	}
}

// The application's exit code is the container's.
func TestCodes(t *testing.T) {
	host.ready(t)
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			codes := []int{0, 1, 2, 77, 124, 125, 143, 255}
			manifest := alone(settings, "exit 0")
			for _, code := range codes {
				app := shell(fmt.Sprintf("exits-%d", code), fmt.Sprintf("exit %d", code))
				setEnv(app, settings...)
				addContainer(manifest, app)
			}
			p := play(t, manifest)
			p.ends()
			for _, code := range codes {
				if got := p.state(fmt.Sprintf("exits-%d", code)).ExitCode; got != code {
					t.Errorf("%d became %d", code, got)
				}
			}
		})
	}
}

// orphans is a script that leaves 20 of them, which end soon.
const orphans = `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do (sleep 0.1 &) ; done; exec sleep 1000`

// Supervising, PID 1 reaps orphans. Replaced, the application has to: sleep does
// not, which shows that this test sees zombies.
func TestZombies(t *testing.T) {
	host.ready(t)
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := play(t, alone(settings, orphans))
			first := p.state("app").Pid
			if mode == "replace" {
				eventually(t, "20 zombies", func() bool { return zombies(t, first) == 20 })
				return
			}
			eventually(t, "no child but the application", func() bool { return len(children(t, first)) == 1 })
			if n := zombies(t, first); n != 0 {
				t.Errorf("%d zombies", n)
			}
		})
	}
}

// children returns the states of a process's children by their PIDs.
func children(t testing.TB, parent int) map[string]string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it is gone
		}
		// pid (name) state ppid
		_, after, _ := strings.Cut(string(text), ") ")
		var state string
		var ppid int
		if _, err := fmt.Sscan(after, &state, &ppid); err == nil && ppid == parent {
			states[file] = state
		}
	}
	return states
}

func zombies(t testing.TB, parent int) (n int) {
	t.Helper()
	for _, state := range children(t, parent) {
		if state == "Z" {
			n++
		}
	}
	return n
}

// All that can be taken from a container is taken: its root is read-only, it has
// no capabilities and cannot get any, and its user is one that nobody knows.
func TestRestricted(t *testing.T) {
	host.ready(t)
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			manifest := alone(settings,
				"grep -E '^(Uid|Gid|CapEff|CapBnd|NoNewPrivs)' /proc/self/status; touch /written; echo $$; exit 7")
			manifest = deepCopy(t, manifest)
			containerIn(t, manifest, "app")["securityContext"] = object{
				"runAsUser": 1000660000, "runAsGroup": 0, "runAsNonRoot": true,
				"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
				"capabilities":   object{"drop": []any{"ALL"}},
				"seccompProfile": object{"type": "RuntimeDefault"},
			}
			p := play(t, manifest)
			p.ends()
			if s := p.state("app"); s.ExitCode != 7 {
				t.Errorf("code %d, want 7", s.ExitCode)
			}
			p.says("app", "mode="+mode, "Uid:\t1000660000\t", "Gid:\t0\t", "CapEff:\t0000000000000000",
				"CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "/written: Read-only file system")
			if isFirst := strings.Contains(p.log("app"), "\n1\n"); isFirst != (mode == "replace") {
				t.Errorf("the application is PID 1: %t", isFirst)
			}
		})
	}
}

// A supervised application that is killed leaves 128+9, and so does PID 1.
func TestKilled(t *testing.T) {
	host.ready(t)
	for name, script := range map[string]string{"application": "kill -KILL $$", "container": works} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := play(t, alone(modes["supervise"], script))
			if name == "container" {
				p.until("app", "working", 1)
				p.signal("app", syscall.SIGKILL)
			}
			p.ends()
			if s := p.state("app"); s.ExitCode != 137 {
				t.Errorf("code %d, want 137", s.ExitCode)
			}
		})
	}
}
