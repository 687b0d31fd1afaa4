package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Import gives the running cluster more images.
func (c *Cluster) Import(images ...Image) error {
	archive := filepath.Join(c.dir, "more-images.tar")
	defer os.Remove(archive)
	if err := writeImages(archive, images); err != nil {
		return err
	}
	root, err := c.root()
	if err != nil {
		return err
	}
	ctr := exec.Command("ctr", "--address", filepath.Join(root, "run/containerd/containerd.sock"), "--namespace", "k8s.io", "images", "import", archive)
	if out, err := ctr.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot import images: %w\n%s", err, out)
	}
	return nil
}

// root returns the node's file system, seen from outside.
func (c *Cluster) root() (string, error) {
	init, err := c.init()
	return "/proc/" + init + "/root", err
}

// init returns PID 1 of the node, as this machine counts.
func (c *Cluster) init() (string, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.keeper.Process.Pid))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		if children, err := os.ReadFile(file); err == nil && len(children) > 0 {
			return strings.Fields(string(children))[0], nil
		}
	}
	return "", errors.New("the node has ended")
}

// MachineLayer has programs of this machine and the libraries that they need.
func MachineLayer(programs ...string) (Layer, error) { return machineLayer(programs...) }

// BusyboxLayer has busybox under the names of all its commands.
func BusyboxLayer() (Layer, error) { return busyboxLayer() }
