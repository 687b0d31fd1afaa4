//go:build linux

package podtest

// startgate as PID 1 of a container: signals, exit codes, orphans and a container from
// which everything is taken that can be.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// modes has the settings that choose each of the two modes.
var modes = map[string][]string{
	"replace":   {"STARTGATE_WAIT_FOR=none"},
	"supervise": {"STARTGATE_WAIT_FOR=none", "STARTGATE_SUPERVISE=true"},
}

// singlePod returns a pod of one container, app, without a sidecar.
func singlePod(settings []string, script string) object {
	return shellPod("single", "Never", settings, script)
}

func TestTERMWhileWaiting(t *testing.T) {
	needPods(t)
	for mode, settings := range map[string][]string{"replace": nil, "supervise": {"STARTGATE_SUPERVISE=true"}} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := startPod(t, singlePod(append(settings, "STARTGATE_WAIT_FOR=file:///missing"), "echo working"))
			p.waitForLog("app", "is not ready yet", 1)
			p.checkStop("app", 143)
			p.checkLog("app", "ended by SIGTERM while file:///missing was not ready")
			if strings.Contains(p.log("app"), "working\n") {
				t.Error("the application was started")
			}
		})
	}
}

func TestTERMReachesApplication(t *testing.T) {
	needPods(t)
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := startPod(t, singlePod(settings, "trap 'echo stopping; exit 7' TERM; "+worksForever+" & wait"))
			p.waitForLog("app", "working", 1)
			p.checkStop("app", 7)
			p.checkLog("app", "mode="+mode, "stopping")
		})
	}
}

// The application's exit code is the container's.
func TestExitCodes(t *testing.T) {
	needPods(t)
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			codes := []int{0, 1, 2, 77, 124, 125, 143, 255}
			manifest := singlePod(settings, "exit 0")
			for _, code := range codes {
				app := shell(fmt.Sprintf("exits-%d", code), fmt.Sprintf("exit %d", code))
				setEnv(app, settings...)
				addContainer(manifest, app)
			}
			p := startPod(t, manifest)
			p.waitForEnd()
			states := p.states()
			for _, code := range codes {
				if got := states[fmt.Sprintf("exits-%d", code)].ExitCode; got != code {
					t.Errorf("%d became %d", code, got)
				}
			}
		})
	}
}

// orphans is a script that leaves 20 orphans, which exit soon, and then says so.
const orphans = `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do (sleep 0.1 &) ; done; echo left; exec sleep 1000`

// A supervising startgate reaps orphans. If it has been replaced the application has to.
// sleep does not, which shows that this test can see zombies.
func TestOrphansAreReaped(t *testing.T) {
	needPods(t)
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := startPod(t, singlePod(settings, orphans))
			p.waitForLog("app", "left\n", 1)
			first := p.state("app").Pid
			if mode == "replace" {
				eventually(t, "20 zombies", func() bool { return zombies(t, first) == 20 })
				return
			}
			eventually(t, "no child except the application", func() bool { return len(children(t, first)) == 1 })
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
			continue // it has exited
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

// The container's root is read-only, it has no capabilities and cannot get any, and its
// user is in no list of users.
func TestRestrictedContainer(t *testing.T) {
	needPods(t)
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			manifest := singlePod(settings,
				"grep -E '^(Uid|Gid|CapEff|CapBnd|NoNewPrivs)' /proc/self/status; touch /written; echo $$; exit 7")
			manifest = deepCopy(t, manifest)
			containerIn(t, manifest, "app")["securityContext"] = object{
				"runAsUser": 1000660000, "runAsGroup": 0, "runAsNonRoot": true,
				"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
				"capabilities":   object{"drop": []any{"ALL"}},
				"seccompProfile": object{"type": "RuntimeDefault"},
			}
			p := startPod(t, manifest)
			p.waitForEnd()
			if s := p.state("app"); s.ExitCode != 7 {
				t.Errorf("code %d, want 7", s.ExitCode)
			}
			p.checkLog("app", "mode="+mode, "Uid:\t1000660000\t", "Gid:\t0\t", "CapEff:\t0000000000000000",
				"CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "/written: Read-only file system")
			if isFirst := strings.Contains(p.log("app"), "\n1\n"); isFirst != (mode == "replace") {
				t.Errorf("the application is PID 1: %t", isFirst)
			}
		})
	}
}
