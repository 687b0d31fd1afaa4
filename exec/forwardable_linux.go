package exec

import (
	"syscall"
	"unsafe"
)

// forwardableHere are PWR and the real-time signals.
var forwardableHere = func() []syscall.Signal {
	signals := []syscall.Signal{syscall.SIGPWR}
	for sig := syscall.Signal(35); sig <= 64; sig++ {
		signals = append(signals, sig)
	}
	return signals
}()

// ignored tells whether sig is ignored. Of TSTP, TTIN, TTOU and CONT that this
// process inherited so, [os/signal.Ignored] does not know.
func ignored(sig syscall.Signal) bool {
	const sigIgn = 1
	var action [8]uintptr // struct kernel_sigaction begins with the handler, and is shorter
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig),
		0, uintptr(unsafe.Pointer(&action)), 8, 0, 0)
	return errno == 0 && action[0] == sigIgn
}
