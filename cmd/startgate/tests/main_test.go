package tests

// What all tests share: the binary under test, the C programs, and what they need of
// the machine.

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The exit codes of startgate's own.
const (
	codeTimeout = 124
	codeFailed  = 125
)

// binary is startgate as users have it, built once for all tests. Beside it are the
// C programs.
var binary string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	shield()
	// Most of the time the tests that run in parallel sleep. -parallel decides otherwise.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "startgate")
	if err == nil {
		err = os.Chmod(dir, 0o755) // some tests run as another user
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "startgate")
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", binary, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	code := m.Run()
	if err := measured.publish(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// shield makes this process catch the signals that it was started to ignore, as nohup
// and a shell's background jobs are: what is ignored here, every program of the tests
// would ignore too; what is caught has its default effect there.
func shield() {
	for sig := syscall.Signal(1); sig < 32; sig++ {
		if ignores(os.Getpid(), sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

// ignores reports whether a process ignores a signal.
func ignores(pid int, sig syscall.Signal) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, mask, _ := strings.Cut(string(status), "\nSigIgn:\t")
	ignored, _ := strconv.ParseUint(strings.Fields(mask + " 0")[0], 16, 64)
	return ignored&(1<<(sig-1)) != 0
}

// compiled has a function for each C program, which compiles it once.
var compiled sync.Map

// program returns the path of the compiled testdata/NAME.c. Where that is possible it
// is linked without anything that it would have to load.
func program(t testing.TB, name string) string {
	t.Helper()
	need(t, "cc")
	path := filepath.Join(filepath.Dir(binary), name)
	once, _ := compiled.LoadOrStore(name, sync.OnceValue(func() error {
		var err error
		for _, how := range []string{"-static", "-O1"} {
			out, failed := exec.Command("cc", "-O1", how, "-o", path, "testdata/"+name+".c").CombinedOutput()
			if failed == nil {
				return nil
			}
			err = fmt.Errorf("cannot compile %s.c: %w\n%s", name, failed, out)
		}
		return err
	}))
	if err := once.(func() error)(); err != nil {
		t.Fatal(err)
	}
	return path
}

// need skips a test on a machine without one of these commands.
func need(t testing.TB, commands ...string) {
	t.Helper()
	for _, name := range commands {
		if _, err := exec.LookPath(name); err != nil {
			skip(t, "needs "+name)
		}
	}
}

// needRoot skips a test that another user than root runs.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "needs root")
	}
}

// skip skips a test. With NOSKIP=1, as in CI, the test fails instead.
func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("NOSKIP") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func readIfThere(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}
