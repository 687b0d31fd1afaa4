package exec

import "syscall"

// forwardableHere are PWR and the real-time signals.
var forwardableHere = func() []syscall.Signal {
	signals := []syscall.Signal{syscall.SIGPWR}
	for sig := syscall.Signal(35); sig <= 64; sig++ {
		signals = append(signals, sig)
	}
	return signals
}()
