package node

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kubectl returns a command that runs kubectl with these arguments.
func (c *Cluster) Kubectl(args ...string) *exec.Cmd {
	cmd := exec.Command(c.kube, append([]string{"kubectl"}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "KUBECACHEDIR="+filepath.Join(c.dir, "cache"))
	return cmd
}

// Log returns the last n lines with a word, such as a namespace, of a part's log, such as
// kubelet's.
func (c *Cluster) Log(part, word string, n int) string {
	text, err := os.ReadFile(filepath.Join(c.dir, "log", part+".log"))
	if err != nil {
		return err.Error()
	}
	var found []byte
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(word)) {
			found = append(found, line...)
		}
	}
	return lastLines(found, n)
}

// Path returns where this process finds a file of the node, whose mounts are its own.
func (c *Cluster) Path(file string) (string, error) {
	init, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.keeper.Process.Pid))
	return "/proc/" + strings.TrimSpace(string(init)) + "/root" + file, err
}
