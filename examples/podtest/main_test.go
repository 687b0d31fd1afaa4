package podtest

// What all tests share: the directory they run in, what they need of the machine, and
// how they wait for a condition.

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// patience is how long a test waits for something that usually takes seconds. It is
// long enough for a machine that is busy.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	if err := os.Chdir(".."); err != nil { // all paths in these tests start from examples/
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "pods")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	host.dir = dir
	defer func() {
		if err := host.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}

// need skips the test if one of these commands is missing. With NOSKIP=1, as in CI,
// the test fails instead.
func need(t testing.TB, commands ...string) {
	t.Helper()
	for _, name := range commands {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, name)
		}
	}
}

// needRoot skips the test, or fails it, if the user is not root.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "root")
	}
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("NOSKIP") != "" {
		t.Fatalf("needs %s", what)
	}
	t.Skipf("needs %s", what)
}

// eventually waits until f returns true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
