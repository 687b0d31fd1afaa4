package podtest

// Helpers: the machine of all pods, which is podman with its own images and state.

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

// host is the machine of all pods.
var host node

// node is a machine that runs pods: podman, with images and state of its own.
type node struct {
	dir    string
	setUp  sync.Once
	err    error
	driver string // of the storage

	cleaner      *exec.Cmd
	cleanerInput io.Closer // the cleaner begins when this is closed
}

// configuration has the files that podman and buildah read, by the variable that names
// each. They use no systemd, and set no limit above this process's own.
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
[network]
network_config_dir = "$DIR/networks"
`,
	"CONTAINERS_STORAGE_CONF": `
[storage]
driver = "$DRIVER"
graphroot = "$DIR/graph"
runroot = "$DIR/run"
`,
	"CONTAINERS_REGISTRIES_CONF": `
unqualified-search-registries = ["docker.io"]
`,
}

// needPods sets up the node, once for all tests. It skips a test where no pod can run,
// and with -short.
func needPods(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts pods")
	}
	needNode(t)
}

// needNode is needPods for the few tests that also run with -short.
func needNode(t testing.TB) {
	t.Helper()
	needRoot(t)
	need(t, "podman", "buildah", "runc", "conmon", "busybox")
	host.setUp.Do(func() { host.err = errors.Join(host.configure(), host.startCleaner(), host.buildImages()) })
	if host.err != nil {
		t.Fatal(host.err)
	}
}

func (n *node) configure() error {
	n.driver = "vfs"
	if n.hasOverlay() {
		n.driver = "overlay" // takes half of the time
	}
	values := strings.NewReplacer("$DIR", n.dir, "$DRIVER", n.driver)
	var errs []error
	for name, text := range configuration {
		text = values.Replace(text)
		errs = append(errs, os.WriteFile(n.file(name), []byte(text), 0o600))
	}
	return errors.Join(errs...)
}

// hasOverlay reports whether the node's directory can have overlays. In a container it
// usually cannot.
func (n *node) hasOverlay() bool {
	const script = `cd "$0" && mkdir lower upper work merged &&
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged && umount merged`
	return exec.Command("sh", "-c", script, n.dir).Run() == nil
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

// podman runs podman. The test fails if podman does.
func (n *node) podman(t testing.TB, args ...string) string {
	t.Helper()
	out, err := n.run("podman", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask runs a podman command that changes nothing. Such a command can fail because a
// process that it looks at exits meanwhile, so it is tried again.
func (n *node) ask(t testing.TB, args ...string) string {
	t.Helper()
	for range 4 {
		if out, err := n.run("podman", args...); err == nil {
			return out
		}
	}
	return n.podman(t, args...)
}

// startCleaner starts a process that removes everything the tests leave behind. It
// begins when this process exits, for whatever reason.
func (n *node) startCleaner() error {
	const script = `cat; podman pod rm --all --force --time 0; podman rm --all --force --time 0; podman image unmount --all --force; rm -rf "$0"`
	n.cleaner = n.command("sh", "-c", script, n.dir)
	n.cleaner.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // so that it is not killed with this process
	var err error
	if n.cleanerInput, err = n.cleaner.StdinPipe(); err != nil {
		return err
	}
	return n.cleaner.Start()
}

// remove removes the node, and waits until that is done.
func (n *node) remove() error {
	if n.cleaner == nil {
		return os.RemoveAll(n.dir)
	}
	if err := errors.Join(n.cleanerInput.Close(), n.cleaner.Wait()); err != nil {
		return fmt.Errorf("cannot remove %s: %w", n.dir, err)
	}
	return nil
}
