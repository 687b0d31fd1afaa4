package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupName returns the name of the cgroup below which all pods of a cluster are, which
// is different for each cluster of the machine.
func cgroupName(dir string) string { return filepath.Base(dir) }

// hierarchies returns where the machine's cgroup hierarchies are mounted.
func hierarchies() ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); fields[2] == "cgroup" || fields[2] == "cgroup2" {
			dirs = append(dirs, fields[1])
		}
	}
	return dirs, nil
}

// makeCgroups makes the cgroup in each hierarchy: the kubelet wants it to exist.
func makeCgroups(name string) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return fmt.Errorf("cannot make a cgroup: %w", err)
		}
		// A new cpuset is empty, and takes no process until it is filled.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(dir, file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name, file), value, 0)); err != nil {
				return fmt.Errorf("cannot fill the cpuset: %w", err)
			}
		}
	}
	return nil
}

// removeCgroups removes the cgroup and all below it. Its processes have been killed, but
// may take some time to end.
func removeCgroups(name string) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		root := filepath.Join(dir, name)
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			err := removeTree(root)
			if err == nil {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("cannot remove a cgroup: %w", err)
			}
		}
	}
	return nil
}

// removeTree removes a folder whose files cannot be removed, and need not be.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if entry.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(dir, entry.Name())))
		}
	}
	if err != nil {
		return err
	}
	return unix.Rmdir(dir)
}

// Processes returns the processes of a container, as this machine counts them.
func (c *Cluster) Processes(containerID string) ([]int, error) {
	file, err := c.cgroupFile(containerID, "cgroup.procs")
	if err != nil {
		return nil, err
	}
	return readPIDs(file)
}

// CPU returns what the processes of a container have taken of the CPUs, also those that have
// ended.
func (c *Cluster) CPU(containerID string) (time.Duration, error) {
	file, err := c.cgroupFile(containerID, "cpuacct.usage") // cgroup v1: nanoseconds
	unit := time.Nanosecond
	if err != nil {
		file, err = c.cgroupFile(containerID, "cpu.stat") // cgroup v2: its first line is usage_usec
		unit = time.Microsecond
	}
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	used, err := strconv.ParseInt(strings.Fields(strings.TrimPrefix(string(text), "usage_usec"))[0], 10, 64)
	return time.Duration(used) * unit, err
}

// cgroupFile returns where a file of a container's cgroup is.
func (c *Cluster) cgroupFile(containerID, name string) (string, error) {
	dirs, err := hierarchies()
	if err != nil {
		return "", err
	}
	for _, dir := range dirs {
		pods := filepath.Join(dir, cgroupName(c.dir), "kubepods")
		for _, quality := range []string{"*/pod*", "pod*"} {
			files, err := filepath.Glob(filepath.Join(pods, quality, containerID, name))
			if err == nil && len(files) > 0 {
				return files[0], nil
			}
		}
	}
	return "", fmt.Errorf("container %s has no cgroup with %s", containerID, name)
}

func readPIDs(file string) ([]int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
