package exec

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// WithoutWriteSignals calls write. The PIPE that the kernel sends when nobody reads any
// more does not count as one from outside, which [Supervise] would hand on to the
// program: a program that supervises is to write to pipes and sockets in this way.
func WithoutWriteSignals(write func()) {
	// The kernel sends it to the thread that writes; kill(2) to the whole process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var pipe, before unix.Sigset_t
	pipe.Val[0] = 1 << (unix.SIGPIPE - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &pipe, &before); err != nil {
		write()
		return
	}
	write()
	var now unix.Timespec
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&pipe)), 0,
		uintptr(unsafe.Pointer(&now)), 8, 0, 0)
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
}
