package tests

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The exit codes of startgate's own.
const (
	codeTimeout = 124
	codeFailed  = 125
)

// binary is startgate as users have it, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "startgate")
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
	return m.Run()
}

// need skips a test on a machine without one of these commands, or without root
// for "root". With NOSKIP=1, as in CI, it fails instead.
func need(t testing.TB, what ...string) {
	t.Helper()
	for _, name := range what {
		_, err := exec.LookPath(name)
		if name == "root" {
			err = nil
			if os.Getuid() != 0 {
				err = os.ErrPermission
			}
		}
		switch {
		case err == nil:
		case os.Getenv("NOSKIP") != "":
			t.Fatalf("needs %s", name)
		default:
			t.Skipf("needs %s", name)
		}
	}
}

// outputOf runs the real binary, and returns all that it writes.
func outputOf(t *testing.T, settings []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = settings
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out)
}

// readyServer returns the URL of a server that says yes at once.
func readyServer(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	return server.URL
}

func readIfThere(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}
