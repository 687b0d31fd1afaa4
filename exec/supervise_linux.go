package exec

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setDeathSignal has the kernel kill the program when this process ends first.
func setDeathSignal(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }

// unsetDeathSignal undoes setDeathSignal, which a seccomp filter may forbid, and
// reports whether there was anything to undo.
func unsetDeathSignal(attributes *syscall.SysProcAttr) bool {
	had := attributes.Pdeathsig != 0
	attributes.Pdeathsig = 0
	return had
}

// becomeSubreaper makes orphans below this process its children. PID 1 gets those of
// its PID namespace in any case.
func becomeSubreaper(options Options) {
	if unix.Getpid() == 1 {
		return
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		options.Degraded(fmt.Errorf("%w: %w", ErrNoSubreaper, err))
	}
}

// foregroundOf returns the foreground group of the session's terminal. It returns an
// error if fd is not that terminal.
func foregroundOf(fd int) (int, error) {
	group, err := unix.IoctlGetUint32(fd, unix.TIOCGPGRP)
	return int(group), err
}

// siginfo is siginfo_t with the fields that waitid(2) and kill(2) fill in.
type siginfo struct {
	signo, errno, code int32
	_                  [unsafe.Sizeof(uintptr(0))/4 - 1]int32
	pid, uid, status   int32
	_                  [128 - 7*4]byte
}

// The arguments of waitid(2) that package unix does not have.
const (
	allChildren = 0 // P_ALL
	oneChild    = 1 // P_PID
	cldStopped  = 5 // CLD_STOPPED
)

// nextChild waits until a child exits or, if stops is true, is stopped. It returns
// the child's PID and, if it was stopped, the signal. A child that has exited is left
// to be reaped.
func nextChild(stops bool) (pid int, stopped syscall.Signal, err error) {
	options := unix.WEXITED | unix.WNOWAIT
	if stops {
		options |= unix.WSTOPPED
	}
	for {
		info, err := waitid(allChildren, 0, options)
		if err != nil || info.code != cldStopped {
			return int(info.pid), 0, err
		}
		pid := int(info.pid)
		if stopped, err := takeStop(pid); stopped != 0 || err != nil {
			return pid, stopped, err
		}
	}
}

// takeStop returns the signal that stopped a child, and takes the stop, which the kernel
// would report again otherwise. It returns 0 when the child has been continued since, or
// killed: waitid then says that there is no such child.
func takeStop(pid int) (syscall.Signal, error) {
	info, err := waitid(oneChild, pid, unix.WSTOPPED|unix.WNOHANG)
	if err == unix.ECHILD {
		return 0, nil
	}
	return syscall.Signal(info.status), err
}

func waitid(kind, id, options int) (siginfo, error) {
	var info siginfo
	err := retry(func() error { return unix.Waitid(kind, id, (*unix.Siginfo)(unsafe.Pointer(&info)), options, nil) })
	return info, err
}
