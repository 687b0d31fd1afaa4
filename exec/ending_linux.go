package exec

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// platformEnding are PWR, STKFLT and the real-time signals.
var platformEnding = func() []syscall.Signal {
	signals := []syscall.Signal{syscall.SIGPWR, syscall.SIGSTKFLT}
	for sig := syscall.Signal(35); sig <= 64; sig++ {
		signals = append(signals, sig)
	}
	return signals
}()

// ignored reports whether sig is ignored. It asks the kernel, because
// [os/signal.Ignored] does not know of TSTP, TTIN, TTOU and CONT that this process
// inherited as ignored.
func ignored(sig syscall.Signal) bool {
	const sigIgn = 1
	var action [8]uintptr // struct kernel_sigaction: the handler comes first, and the rest is shorter
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig),
		0, uintptr(unsafe.Pointer(&action)), 8, 0, 0)
	return errno == 0 && action[0] == sigIgn
}

// blocked returns a function that reports whether the calling thread blocks a signal.
func blocked() func(syscall.Signal) bool {
	var mask unix.Sigset_t
	_ = unix.PthreadSigmask(unix.SIG_BLOCK, nil, &mask)
	const word = syscall.Signal(8 * unsafe.Sizeof(mask.Val[0]))
	return func(sig syscall.Signal) bool { return mask.Val[(sig-1)/word]&(1<<((sig-1)%word)) != 0 }
}
