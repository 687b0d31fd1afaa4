package exec

import (
	"syscall"
	"unsafe"
)

// defaultQuit gives SIGQUIT its default effect. Go's own, which is in force when
// nobody catches it, is to print all stacks and exit with 2.
func defaultQuit() {
	var action [32]byte // struct kernel_sigaction: all zero is SIG_DFL, on every platform
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGQUIT),
		uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}
