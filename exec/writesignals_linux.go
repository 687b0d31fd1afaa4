package exec

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writeSignals are what the kernel sends to a thread that writes (write(2)): PIPE
// when nobody reads the pipe or socket any more, XFSZ when the file would become
// larger than RLIMIT_FSIZE.
var writeSignals = []syscall.Signal{unix.SIGPIPE, unix.SIGXFSZ}

// WithoutWriteSignals calls write and drops the PIPE or XFSZ that this raises; the
// error of the write itself, EPIPE or EFBIG, remains. A program that calls
// [Supervise] should make all its writes to pipes, sockets and files in this way,
// because the signal would be forwarded otherwise. One that another process sends
// (kill(2)) is caught as always.
//
// It is for writes on the goroutine that calls write. On other systems than Linux
// it drops nothing.
func WithoutWriteSignals(write func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	blocked := signalSet(writeSignals...)
	var before unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err == nil {
		defer dropWriteSignals(before)
	}
	write()
}

// dropWriteSignals drops the signals that this thread's writes raised, and restores
// its signal mask.
func dropWriteSignals(mask unix.Sigset_t) {
	for _, sig := range writeSignals {
		if from, ok := takeSignal(sig); ok && from != os.Getpid() {
			// It was sent to the whole process, and no other thread took it yet.
			_ = unix.Kill(os.Getpid(), sig)
		}
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
}

// takeSignal removes one pending signal, one for this thread first. It returns the
// process that sent the signal, and reports whether there was one.
func takeSignal(sig syscall.Signal) (from int, ok bool) {
	var (
		set  = signalSet(sig)
		info siginfo
		now  unix.Timespec
	)
	_, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)),
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&now)), 8, 0, 0)
	return int(info.pid), errno == 0
}

func signalSet(signals ...syscall.Signal) (set unix.Sigset_t) {
	for _, sig := range signals {
		set.Val[0] |= 1 << (sig - 1)
	}
	return set
}
