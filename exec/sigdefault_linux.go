package exec

import (
	"syscall"
	"unsafe"
)

// useDefaults gives the signals the kernel's own default effects. It returns when
// no thread is running a handler of them any more.
//
// Go's defaults are handlers, too. The one of QUIT prints all stacks. And if execve
// ends a thread on which a handler has just begun, the signal is lost. A handler
// blocks the signal that AllThreadsSyscall sends to each thread, so that call returns
// after all handlers have. In a program that uses cgo it fails and waits for nothing.
func useDefaults(signals []syscall.Signal) {
	var action [32]byte // struct kernel_sigaction: all zero is SIG_DFL, on every platform
	for _, sig := range signals {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig),
			uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
	_, _, _ = syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0)
}
