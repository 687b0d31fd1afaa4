package exec

import (
	"syscall"
	"unsafe"
)

// useDefaults gives the signals the kernel's own default effects, and returns
// when no thread is in a handler of one any more.
//
// Go's defaults are handlers: QUIT's prints all stacks, and any of them may have
// just begun, on another thread, when execve ends that thread and with it the
// signal. A handler blocks the signal by which AllThreadsSyscall reaches a
// thread, so that call returns when all handlers have. It does nothing in a
// program that uses cgo.
func useDefaults(signals []syscall.Signal) {
	var action [32]byte // struct kernel_sigaction: all zero is SIG_DFL, on every platform
	for _, sig := range signals {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig),
			uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
	_, _, _ = syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0)
}
