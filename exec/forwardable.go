package exec

import (
	"slices"
	"syscall"
)

// Forwardable returns the signals that [Supervise] hands on to the program: all
// that a program may expect from outside. Not among them are those that cannot be
// caught (KILL, STOP, and in Go 32 to 34 and PROF), those of a fault in this
// process, CHLD, which is about children of one's own, and URG, which Go uses itself.
func Forwardable() []syscall.Signal {
	return append([]syscall.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGPIPE,
		syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH,
		syscall.SIGIO, syscall.SIGXCPU, syscall.SIGXFSZ,
	}, forwardableHere...)
}

// ForwardableBeforeStart returns those of [Forwardable] to catch, with [Signals.CatchMore], as soon as it
// is known that Supervise will be called. The others are meant for this process
// until then: PIPE may come of its log, whose reader has gone, and Ctrl-Z stops it.
func ForwardableBeforeStart() []syscall.Signal {
	return slices.DeleteFunc(Forwardable(), func(sig syscall.Signal) bool {
		return sig == syscall.SIGPIPE || slices.Contains(jobControl, sig)
	})
}

// jobControl are the signals that stop and continue a job.
var jobControl = []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT}
