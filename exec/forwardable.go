package exec

import (
	"slices"
	"syscall"
)

// Forwardable returns the signals that [Supervise] forwards to the program: all that
// other processes may send to it. It leaves out
//   - signals that cannot be caught: KILL, STOP, and in Go PROF and 32 to 34;
//   - signals that a fault in this process raises, such as SEGV;
//   - CHLD, which is about this process's own children;
//   - URG, which Go uses itself.
func Forwardable() []syscall.Signal {
	return append([]syscall.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGPIPE,
		syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH,
		syscall.SIGIO, syscall.SIGXCPU, syscall.SIGXFSZ,
	}, platformForwardable...)
}

// ForwardableBeforeStart returns the signals of [Forwardable] that a program should
// catch, with [Signals.CatchMore], as soon as it knows that it will call Supervise.
// Until the start the others are for the calling process itself: a write to its log
// may raise PIPE, and Ctrl-Z stops it.
func ForwardableBeforeStart() []syscall.Signal {
	return slices.DeleteFunc(Forwardable(), func(sig syscall.Signal) bool {
		return sig == syscall.SIGPIPE || slices.Contains(jobControl, sig)
	})
}

// jobControl are the signals that stop and continue a job.
var jobControl = []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT}
