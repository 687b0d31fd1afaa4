//go:build linux

// Package podtest runs the manifests in the folders of examples/ as pods, by podman,
// with images that it builds from their Dockerfiles: as users run them, but for a
// stand-in (standin/) where a sidecar's own image cannot be had.
//
// It needs root and the Debian packages podman, buildah, runc and busybox-static.
package podtest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// patience is for what takes much less, on a machine that is busy.
const patience = 2 * time.Minute

// host is the machine of all pods.
var host node

func TestMain(m *testing.M) {
	flag.Parse()
	if err := os.Chdir(".."); err != nil { // to examples/, which the paths in these tests start from
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

// eventually waits until f is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v have passed, and not yet: %s", patience, what)
		}
	}
}
