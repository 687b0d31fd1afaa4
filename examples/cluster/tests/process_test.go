package tests

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// signal sends a signal to a container's first process. The container's processes are
// also in this machine's PID namespace.
func (n *namespace) signal(pod, container string, signal syscall.Signal) {
	n.Helper()
	pid, err := n.pid(pod, container)
	if err != nil {
		n.Fatal(err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		n.Fatalf("cannot signal %s in %s: %v", container, pod, err)
	}
}

// pid returns the container's first process, as this machine counts.
func (n *namespace) pid(pod, container string) (int, error) {
	_, id, found := strings.Cut(n.status(pod, container).ContainerID, "://")
	if !found {
		return 0, fmt.Errorf("%s in %s has no container", container, pod)
	}
	processes, err := cluster.Processes(id)
	if err != nil {
		return 0, err
	}
	for _, pid := range processes {
		if isFirst(pid) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("%s in %s has no first process among %v", container, pod, processes)
}

// isFirst says whether a process is PID 1 of the innermost of its PID namespaces.
func isFirst(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			return fields[len(fields)-1] == "1"
		}
	}
	return false
}

// The stand-in's moments, which --hold-start and --hold-ready leave to the test.
func (n *namespace) letListen(pod string) { n.Helper(); n.signal(pod, "istio-proxy", syscall.SIGUSR1) }

func (n *namespace) letBecomeReady(pod string) {
	n.Helper()
	n.signal(pod, "istio-proxy", syscall.SIGUSR2)
}
