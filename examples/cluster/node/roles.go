package node

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// The processes between the program and Kubernetes. Their name is argument 0, so that ps
// shows it, and the folder of the cluster argument 1.
const (
	keeperRole = "startgate-cluster:keeper"
	initRole   = "startgate-cluster:init"
	nodeRole   = "startgate-cluster:node"
)

// apiFD is the descriptor on which these processes have the API server's listener.
const apiFD = 3

// Main does the work of a process that Start has started, and exits. In any other process
// it returns at once.
func Main() {
	var role func(dir string) error
	switch os.Args[0] {
	case keeperRole:
		role = keep
	case initRole:
		role = reap
	case nodeRole:
		role = runNode
	default:
		return
	}
	if err := role(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// again returns a command that runs this program in another role.
func again(role, dir string, api *os.File) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", dir)
	cmd.Args[0] = role
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{api}
	return cmd
}

// keep runs the node until standard input is closed, as when the parent ends, whatever the
// way. Then, or when the node has ended by itself, it removes what is left of it. A Ctrl-C
// does not reach it: it is in a session of its own.
func keep(dir string) error {
	runtime.LockOSThread() // Pdeathsig is about the thread that has started the process
	node := again(initRole, dir, os.NewFile(apiFD, "api"))
	node.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := node.Start(); err != nil {
		return fmt.Errorf("cannot make namespaces: %w", err)
	}
	var stopped atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stopped.Store(true)
		_ = node.Process.Kill()
	}()
	_ = node.Wait()
	if err := removeCgroups(cgroupName(dir)); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if stopped.Load() {
		return nil
	}
	return fmt.Errorf("the node has ended by itself: %s", node.ProcessState)
}

// reap starts the node and reaps all that are orphaned in its PID namespace, until the
// node exits. With this process, which is PID 1 there, all others end.
func reap(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("cannot separate the mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	node := again(nodeRole, dir, os.NewFile(apiFD, "api"))
	if err := node.Start(); err != nil {
		return fmt.Errorf("cannot start the node: %w", err)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("cannot reap: %w", err)
		case pid == node.Process.Pid:
			os.Exit(1) // the node has said why
		}
	}
}
