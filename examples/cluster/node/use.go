package node

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
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

// Command returns a command that runs in the node's network and with its mounts.
func (c *Cluster) Command(name string, args ...string) (*exec.Cmd, error) {
	init, err := c.init()
	return exec.Command("nsenter", append([]string{"--target", init, "--net", "--mount", "--", name}, args...)...), err
}

// Path returns where this process finds a file of the node, whose mounts are its own.
func (c *Cluster) Path(file string) (string, error) {
	root, err := c.root()
	return root + file, err
}
