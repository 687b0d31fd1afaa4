//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// modes are the environments of the two ways to hand over.
var modes = map[string][]string{"replace": plain, "supervise": supervising()}

// S1.
func TestEveryExitCode(t *testing.T) {
	need(t, "sh")
	for mode, env := range modes {
		t.Run(mode, func(t *testing.T) {
			for want := range 256 {
				cmd := exec.CommandContext(t.Context(), binary, "--", "sh", "-c", "exit "+strconv.Itoa(want))
				cmd.Env = env
				_ = cmd.Run()
				if code := cmd.ProcessState.ExitCode(); code != want {
					t.Errorf("exit code is %v, want %d", cmd.ProcessState, want)
				}
			}
		})
	}
}

// S1. A process that is replaced is ended by the signal itself.
func TestEveryDeathBySignal(t *testing.T) {
	app := application(t)
	for mode, env := range modes {
		t.Run(mode, func(t *testing.T) {
			for sig := syscall.Signal(1); sig <= 64; sig++ {
				direct := exec.CommandContext(t.Context(), app, "die", strconv.Itoa(int(sig)))
				if stops(sig) {
					continue
				}
				_ = direct.Run()
				cmd := exec.CommandContext(t.Context(), binary, "--", app, "die", strconv.Itoa(int(sig)))
				cmd.Env = env
				_ = cmd.Run()
				want := direct.ProcessState.Sys().(syscall.WaitStatus)
				got := cmd.ProcessState.Sys().(syscall.WaitStatus)
				if mode == "supervise" && want.Signaled() {
					if got.ExitStatus() != 128+int(sig) {
						t.Errorf("signal %d: %v, want exit code %d", int(sig), cmd.ProcessState, 128+int(sig))
					}
				} else if got != want {
					t.Errorf("signal %d: %v, want %v", int(sig), cmd.ProcessState, direct.ProcessState)
				}
			}
		})
	}
}

func stops(sig syscall.Signal) bool {
	return sig == unix.SIGSTOP || sig == unix.SIGTSTP || sig == unix.SIGTTIN || sig == unix.SIGTTOU
}

// S1, with a core.
func TestDeathWithCore(t *testing.T) {
	if pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern"); len(pattern) == 0 || pattern[0] == '|' || pattern[0] == '/' {
		t.Skipf("cores go elsewhere: %s", pattern)
	}
	s, app := newStage(t), application(t)
	for _, sig := range []syscall.Signal{unix.SIGQUIT, unix.SIGABRT, unix.SIGSEGV, unix.SIGXCPU} {
		a := start{
			states:  set("limit", unix.RLIMIT_CORE, 64<<20, 64<<20),
			program: []string{app, "die", strconv.Itoa(int(sig))},
			dir:     t.TempDir(), env: supervising(),
		}
		direct := s.command(a)
		_ = direct.Run()
		if !direct.ProcessState.Sys().(syscall.WaitStatus).CoreDump() {
			t.Errorf("%v: the application left no core: %v", sig, direct.ProcessState)
		}
		cmd := s.command(a, binary, "--")
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 128+int(sig) {
			t.Errorf("%v: %v, want exit code %d", sig, cmd.ProcessState, 128+int(sig))
		}
	}
}

// What cannot be run has the same codes as without supervising, and a script
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
		begin(t, superviseCommand(t, path)).ends(file.code)
	}
	begin(t, superviseCommand(t, dir+"/missing")).ends(127)
}
