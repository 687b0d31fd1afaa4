//go:build linux

package tests

// S1: the exit code is the application's.

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// modes are the settings of the two ways to hand over.
var modes = map[string][]string{"replace": {"WAIT_FOR=none"}, "supervise": superviseSettings}

// S1: the codes that mean something to a shell, and the ends of their range.
func TestEveryExitCode(t *testing.T) {
	need(t, "sh")
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			for _, want := range []int{0, 1, 2, 126, 127, 128, 143, 255} {
				startGate(t, settings, "sh", "-c", "exit "+strconv.Itoa(want)).ends(want)
			}
		})
	}
}

// S1: a process that is replaced is ended by the signal itself.
func TestEveryDeathBySignal(t *testing.T) {
	app := program(t, "supervised")
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			for sig := syscall.Signal(1); sig <= 64; sig++ {
				if stops(sig) {
					continue
				}
				want := start(t, exec.Command(app, "die", strconv.Itoa(int(sig)))).end()
				p := startGate(t, settings, app, "die", strconv.Itoa(int(sig)))
				if mode == "supervise" && want.Signaled() {
					p.ends(128 + int(sig))
				} else if p.end() != want {
					p.Errorf("signal %d: directly the status is %v", int(sig), want)
				}
			}
		})
	}
}

func stops(sig syscall.Signal) bool {
	return sig == unix.SIGSTOP || sig == unix.SIGTSTP || sig == unix.SIGTTIN || sig == unix.SIGTTOU
}

// S1: with a core.
func TestDeathWithCore(t *testing.T) {
	if pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern"); len(pattern) == 0 || pattern[0] == '|' || pattern[0] == '/' {
		t.Skipf("cores go elsewhere: %s", pattern)
	}
	s, app := newComparison(t), program(t, "supervised")
	for _, sig := range []syscall.Signal{unix.SIGQUIT, unix.SIGABRT, unix.SIGSEGV, unix.SIGXCPU} {
		a := launch{
			states:  words("limit", unix.RLIMIT_CORE, 64<<20, 64<<20),
			program: []string{app, "die", strconv.Itoa(int(sig))},
			dir:     t.TempDir(), env: superviseEnv,
		}
		if direct := start(t, s.command(a)); !direct.end().CoreDump() {
			direct.Errorf("the application left no core")
		}
		start(t, s.command(a, binary, "--")).ends(128 + int(sig))
	}
}

// R10, R11: what cannot be run has the same codes as without supervising, and a script
// without a #! line is run.
func TestSuperviseWhatCannotBeRun(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []struct {
		name, text string
		mode       os.FileMode
		code       int
	}{
		{"script", "exit 42", 0o755, 42},
		{"binary", "\x00\x01", 0o755, 126},
		{"plain", "exit 42", 0o644, 126},
		{"orphaned", "#!/nowhere\n", 0o755, 127},
	} {
		path := fmt.Sprintf("%s/%s", dir, file.name)
		if err := os.WriteFile(path, []byte(file.text), file.mode); err != nil {
			t.Fatal(err)
		}
		start(t, superviseCommand(path)).ends(file.code)
	}
	start(t, superviseCommand(dir+"/missing")).ends(127)
}
