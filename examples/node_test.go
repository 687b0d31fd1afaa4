//go:build linux

package examples

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// node is a machine that runs pods: podman, with images and state of its own.
type node struct {
	dir   string
	setUp sync.Once
	err   error
}

// configuration is what podman and buildah are told. It asks for no systemd, and
// for no limits above this process's own.
var configuration = map[string]string{
	"CONTAINERS_CONF": `
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "localhost/pause:1"
lock_type = "file"
runtime = "runc"
tmp_dir = "$DIR/tmp"
`,
	"CONTAINERS_STORAGE_CONF": `
[storage]
driver = "vfs"
graphroot = "$DIR/graph"
runroot = "$DIR/run"
`,
	"CONTAINERS_REGISTRIES_CONF": `
unqualified-search-registries = ["docker.io"]
`,
}

// ready has the node set up, once for all tests.
func (n *node) ready(t testing.TB) {
	t.Helper()
	if os.Getenv("PODS") == "" {
		t.Skip("set PODS=1 to start pods: some of these tests are sensitive to load")
	}
	need(t, "root", "podman", "buildah", "runc", "conmon", "busybox")
	n.setUp.Do(func() { n.err = errors.Join(n.configure(), n.build()) })
	if n.err != nil {
		t.Fatal(n.err)
	}
}

func (n *node) configure() error {
	var errs []error
	for name, text := range configuration {
		text = strings.ReplaceAll(text, "$DIR", n.dir)
		errs = append(errs, os.WriteFile(n.file(name), []byte(text), 0o600))
	}
	return errors.Join(errs...)
}

func (n *node) file(name string) string { return filepath.Join(n.dir, name) }

// command returns podman or buildah, for this node.
func (n *node) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = os.Environ()
	for name := range configuration {
		cmd.Env = append(cmd.Env, name+"="+n.file(name))
	}
	return cmd
}

// run runs podman or buildah and returns what it printed.
func (n *node) run(name string, args ...string) (string, error) {
	cmd := n.command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// podman runs podman, which must succeed.
func (n *node) podman(t testing.TB, args ...string) string {
	t.Helper()
	out, err := n.run("podman", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// remove takes away all that the tests have left.
func (n *node) remove() error {
	var errs []error
	if _, err := os.Stat(n.file("graph")); err == nil {
		_, err := n.run("podman", "pod", "rm", "--all", "--force", "--time", "0")
		errs = append(errs, err)
	}
	return errors.Join(append(errs, os.RemoveAll(n.dir))...)
}
