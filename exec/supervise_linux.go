package exec

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attributesFor are how the program is started: in a group of its own, unless it
// must share a terminal, and not to outlive this process.
func attributesFor(t *terminal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: t != nil || !onTerminal(), Pdeathsig: syscall.SIGKILL}
}

// withoutDeathSignal takes away what a seccomp filter may forbid, and tells
// whether there was anything to take away.
func withoutDeathSignal(attributes *syscall.SysProcAttr) bool {
	had := attributes.Pdeathsig != 0
	attributes.Pdeathsig = 0
	return had
}

// becomeSubreaper makes orphans below this process its children; those of a PID
// namespace are PID 1's in any case.
func becomeSubreaper(options Options) {
	if unix.Getpid() == 1 {
		return
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		options.Degraded(fmt.Errorf("cannot become a subreaper: orphans are left to PID 1: %w", err))
	}
}

// siginfo is siginfo_t as waitid fills it in.
type siginfo struct {
	signo, errno, code int32
	_                  [unsafe.Sizeof(uintptr(0))/4 - 1]int32
	pid, uid, status   int32
	_                  [128 - 7*4]byte
}

// nextChild waits until a child is over, or stops if that is asked for. It returns
// its PID and, if it was stopped, by what. One that is over is left to be reaped.
func nextChild(stops bool) (pid int, stopped syscall.Signal, err error) {
	const (
		all        = 0 // P_ALL
		one        = 1 // P_PID
		cldStopped = 5 // CLD_STOPPED
	)
	options := unix.WEXITED | unix.WNOWAIT
	if stops {
		options |= unix.WSTOPPED
	}
	info, err := waitid(all, 0, options)
	if err != nil || info.code != cldStopped {
		return int(info.pid), 0, err
	}
	// A stop is not reaped; but it is told once for each time that it is taken.
	_, _ = waitid(one, int(info.pid), unix.WSTOPPED|unix.WNOHANG)
	return int(info.pid), syscall.Signal(info.status), nil
}

func waitid(kind, id, options int) (siginfo, error) {
	var info siginfo
	err := retry(func() error { return unix.Waitid(kind, id, (*unix.Siginfo)(unsafe.Pointer(&info)), options, nil) })
	return info, err
}
