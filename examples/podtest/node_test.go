//go:build linux

package podtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// node is a machine that runs pods: podman, with images and state of its own.
type node struct {
	dir   string
	setUp sync.Once
	err   error

	sweeper *exec.Cmd
	broom   io.Closer // closed, it makes the sweeper begin
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
	need(t, "root", "podman", "buildah", "runc", "conmon", "busybox")
	n.setUp.Do(func() { n.err = errors.Join(n.configure(), n.sweep(), n.build()) })
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

// ask runs podman for what changes nothing. When a process that it looks at goes
// away meanwhile it fails, and is asked again.
func (n *node) ask(t testing.TB, args ...string) string {
	t.Helper()
	for range 4 {
		if out, err := n.run("podman", args...); err == nil {
			return out
		}
	}
	return n.podman(t, args...)
}

// sweep starts a process that takes all away that the tests leave, when this one
// is over, whatever the way it ends.
func (n *node) sweep() error {
	const script = `cat; podman pod rm --all --force --time 0; rm -rf "$0"`
	n.sweeper = n.command("sh", "-c", script, n.dir)
	n.sweeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // not to be killed with this one
	var err error
	if n.broom, err = n.sweeper.StdinPipe(); err != nil {
		return err
	}
	return n.sweeper.Start()
}

// remove waits until all is taken away.
func (n *node) remove() error {
	if n.sweeper == nil {
		return os.RemoveAll(n.dir)
	}
	if err := errors.Join(n.broom.Close(), n.sweeper.Wait()); err != nil {
		return fmt.Errorf("cannot remove %s: %w", n.dir, err)
	}
	return nil
}
