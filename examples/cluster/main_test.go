package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/startgate/startgate/examples/cluster/node"
)

// However the program ends, nothing of its cluster is left. The clusters run beside each
// other, and beside that of the other tests.
func TestNothingIsLeft(t *testing.T) {
	if missing := strings.Join(node.Missing(), ", "); missing != "" {
		if os.Getenv("NOSKIP") != "" {
			t.Fatal("needs " + missing)
		}
		t.Skip("needs " + missing)
	}
	binary := filepath.Join(t.TempDir(), "cluster")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, signal := range map[string]syscall.Signal{"Ctrl-C": syscall.SIGINT, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := exec.Command(binary)
			stdout, err := cluster.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cluster.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			kubeconfig, found := strings.CutPrefix(strings.TrimSpace(line), "export KUBECONFIG=")
			if err != nil || !found {
				t.Fatalf("it printed %q: %v", line, err)
			}
			dir := filepath.Dir(kubeconfig)
			if n := len(left(t, dir)); n < 10 {
				t.Errorf("of the running cluster only %d things were found", n)
			}
			_ = cluster.Process.Signal(signal)
			if err := cluster.Wait(); signal == syscall.SIGINT && err != nil {
				t.Errorf("it ended with %v", err)
			}
			for end := time.Now().Add(time.Minute); len(left(t, dir)) > 0; time.Sleep(50 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("left: %q", left(t, dir))
				}
			}
		})
	}
}

// left returns what is on this machine of the cluster with this folder: the folder, its
// cgroups, and its processes, which are in its namespaces.
func left(t *testing.T, dir string) []string {
	found, err := filepath.Glob("/sys/fs/cgroup/*/" + filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		found = append(found, dir)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, mounts := range processes {
		if text, err := os.ReadFile(mounts); err == nil && strings.Contains(string(text), dir) {
			found = append(found, mounts)
		}
	}
	return found
}
