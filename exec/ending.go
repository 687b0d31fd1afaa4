package exec

import (
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Ending returns the signals that end a program which handles none: what a program
// gives to [Catch] to behave like one until it hands over, also as PID 1. It leaves out
//   - KILL, and in Go PROF and 32 to 34, which cannot be caught;
//   - PIPE and XFSZ, which this process's own writes raise;
//   - those that are blocked, which stay pending for the program.
//
// WINCH, with which some images are stopped, is one of them unless this process has a
// controlling terminal, where it is about the window's size.
//
// Of a signal that a fault raises, such as SEGV, only what another process sends
// (kill(2)) is caught.
func Ending() []syscall.Signal {
	signals := ending()
	if !hasTerminal() {
		signals = append(signals, syscall.SIGWINCH)
	}
	return slices.DeleteFunc(signals, blocked())
}

// Forwardable returns the signals that [Supervise] forwards to the program: all that
// other processes may send to it. It leaves out
//   - signals that cannot be caught: KILL, STOP, and in Go PROF and 32 to 34;
//   - CHLD, which is about this process's own children;
//   - URG, which Go uses itself.
func Forwardable() []syscall.Signal {
	return slices.Concat(ending(), jobControl, []syscall.Signal{syscall.SIGPIPE, syscall.SIGXFSZ, syscall.SIGWINCH})
}

// fatal are the signals that end a Go program which catches none.
var fatal = []syscall.Signal{
	syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGABRT,
	syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS,
}

// ending returns the signals that end any program which catches none.
func ending() []syscall.Signal {
	return slices.Concat(fatal, []syscall.Signal{
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGIO, syscall.SIGXCPU,
	}, platformEnding)
}

// droppedByGo returns those of the signals that Go drops when nothing catches them.
func droppedByGo(signals []syscall.Signal) (dropped []os.Signal) {
	for _, sig := range signals {
		if !slices.Contains(fatal, sig) {
			dropped = append(dropped, sig)
		}
	}
	return dropped
}

// jobControl are the signals that stop and continue a job.
var jobControl = []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT}

// hasTerminal reports whether this process may have a controlling terminal.
func hasTerminal() bool {
	fd, err := openTerminal()
	if err == nil {
		_ = unix.Close(fd)
	}
	return err != unix.ENXIO
}
