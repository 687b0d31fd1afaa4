package exec

import (
	"syscall"
	"unsafe"
)

// useDefaults gives the signals the kernel's own default effects. Go's are
// handlers: QUIT's prints all stacks, and any of them may have just begun, on
// another thread, when execve ends that thread and with it the signal.
func useDefaults(signals []syscall.Signal) {
	var action [32]byte // struct kernel_sigaction: all zero is SIG_DFL, on every platform
	for _, sig := range signals {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig),
			uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
}
