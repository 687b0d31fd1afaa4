//go:build linux

package tests

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests in supervise_*_test.go hold startgate to S1 to S14 of what supervising
// must get right: a correct init while the application runs.

// buildSupervised compiles testdata/supervised.c once for all tests.
var buildSupervised = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(filepath.Dir(binary), "supervised")
	out, err := exec.Command("cc", "-O1", "-o", path, "testdata/supervised.c").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("cannot compile: %w\n%s", err, out)
	}
	return path, err
})

// application returns the path of the application of these tests.
func application(t testing.TB) string {
	t.Helper()
	need(t, "cc")
	path, err := buildSupervised()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// init1 is startgate while it supervises.
type init1 struct {
	testing.TB
	cmd      *exec.Cmd
	gate     int // startgate's PID, when it is not that of cmd
	stdin    io.WriteCloser
	out, log *live
}

// superviseCommand returns startgate, to supervise this program. Its environment
// is that of these tests.
func superviseCommand(t testing.TB, program ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"--"}, program...)...)
	cmd.Env = supervising()
	return cmd
}

// supervising is an environment in which startgate supervises.
func supervising() []string {
	return append(plain[:len(plain):len(plain)], "STARTGATE_SUPERVISE=true")
}

// begin starts the command, with pipes, or with these as its standard output and
// error where they are not nil.
func begin(t testing.TB, cmd *exec.Cmd, std ...*os.File) *init1 {
	t.Helper()
	i := &init1{TB: t, cmd: cmd, out: &live{}, log: &live{}}
	cmd.Stdout, cmd.Stderr = i.out, i.log
	if len(std) > 0 && std[0] != nil {
		cmd.Stdout = std[0]
	}
	if len(std) > 1 {
		cmd.Stderr = std[1]
	}
	cmd.WaitDelay = time.Second // for an orphan that keeps them
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	i.stdin = stdin
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(i.pid(), syscall.SIGKILL)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return i
}

// supervise starts startgate in front of the application of these tests with these
// arguments, and returns when that has said that it is ready.
func supervise(t testing.TB, args ...string) *init1 {
	t.Helper()
	i := begin(t, superviseCommand(t, append([]string{application(t)}, args...)...))
	i.out.until(t, "ready")
	return i
}

// pid is startgate's.
func (i *init1) pid() int {
	if i.gate != 0 {
		return i.gate
	}
	return i.cmd.Process.Pid
}

// app returns the PID of the application: the first child.
func (i *init1) app() int {
	i.Helper()
	children := childrenOf(i, i.pid())
	if len(children) == 0 {
		i.Fatalf("there is no application\n%s", i.log)
	}
	return children[0]
}

// send sends startgate a signal.
func (i *init1) send(sig syscall.Signal) {
	i.Helper()
	if err := syscall.Kill(i.pid(), sig); err != nil {
		i.Fatalf("cannot send %v: %v\n%s", sig, err, i.log)
	}
}

// say writes a line to the application.
func (i *init1) say(line string) {
	i.Helper()
	if _, err := io.WriteString(i.stdin, line+"\n"); err != nil {
		i.Fatal(err)
	}
}

// code waits for the end and returns the exit code.
func (i *init1) code() int {
	i.Helper()
	stuck := time.AfterFunc(patience, func() { _ = i.cmd.Process.Kill() })
	defer stuck.Stop()
	_ = i.cmd.Wait()
	return i.cmd.ProcessState.ExitCode()
}

// ends checks the exit code.
func (i *init1) ends(want int) {
	i.Helper()
	if code := i.code(); code != want {
		i.Errorf("exit code is %d (%v), want %d\n%s", code, i.cmd.ProcessState, want, i.log)
	}
}

// got returns the signals that the application says to have got, in their order.
func (i *init1) got() []syscall.Signal {
	i.Helper()
	var signals []syscall.Signal
	for line := range strings.Lines(i.out.String()) {
		if rest, ok := strings.CutPrefix(line, "signal "); ok {
			number, _, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(number)
			if err != nil {
				i.Fatal(err)
			}
			signals = append(signals, syscall.Signal(n))
		}
	}
	return signals
}

// handsOn sends a signal and waits until the application has one more.
func (i *init1) handsOn(sig syscall.Signal) {
	i.Helper()
	had := len(i.got())
	i.send(sig)
	until(i, fmt.Sprintf("the application to get %v", sig), func() bool { return len(i.got()) > had })
}

// stateOf returns the state of a process as ps(1) writes it: R, S, T, Z; nothing
// when there is no such process.
func stateOf(pid int) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(text), ") ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}

// isGone tells whether a process is over, or at least nothing but its status.
func isGone(pid int) bool { return strings.Contains("ZX", stateOf(pid)) }
