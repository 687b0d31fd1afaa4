package exec

import "syscall"

// Forwardable returns the signals that [Supervise] hands on to the program: all
// that a program may expect from outside. Not among them are those that cannot be
// caught (KILL, STOP, and in Go 32 to 34), those of a fault in this process, CHLD,
// which is about children of one's own, and URG, which Go uses itself.
func Forwardable() []syscall.Signal {
	signals := append([]syscall.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGPIPE,
		syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH,
		syscall.SIGIO, syscall.SIGXCPU, syscall.SIGXFSZ,
	}, forwardableHere...)
	return signals
}
