//go:build unix

package exec

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is the terminal of this process's session. A nil one is none.
//
// The kernel sends what is typed (Ctrl-C) to the one group of processes that is in
// the terminal's foreground, and stops every other group that reads from it. So
// the program's group has to be in the foreground when this process's would be.
type terminal struct {
	fd  int
	own int // this process's group
	// shared tells that this process is a part of a larger job. The program is then
	// in that job's group, too, and the terminal cannot be given to it alone.
	shared bool
	app    int // the program's group, once it has one of its own
}

// findTerminal returns the terminal, if it is one of the standard descriptors.
func findTerminal() *terminal {
	for fd := range 3 {
		if _, err := foregroundOf(fd); err == nil {
			own := unix.Getpgrp()
			return &terminal{fd: fd, own: own, shared: own != os.Getpid() || piped()}
		}
	}
	return nil
}

// piped tells whether a standard descriptor is a pipe, or a socket, of which some
// shells make theirs: on a terminal, that is a pipeline.
func piped() bool {
	return slices.ContainsFunc([]int{0, 1, 2}, func(fd int) bool {
		var is unix.Stat_t
		err := unix.Fstat(fd, &is)
		return err == nil && (is.Mode&unix.S_IFMT == unix.S_IFIFO || is.Mode&unix.S_IFMT == unix.S_IFSOCK)
	})
}

// isGiven tells whether the terminal is the program's to have.
func (t *terminal) isGiven() bool { return t != nil && !t.shared }

// inForeground tells whether this process's group is in the foreground.
func (t *terminal) inForeground() bool {
	now, err := foregroundOf(t.fd)
	return err == nil && now == t.own
}

// typed tells whether sig is one that the terminal sends.
func typed(sig syscall.Signal) bool {
	return slices.Contains([]syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGWINCH}, sig)
}

// forwardable are the signals to catch. A job that is shared is stopped and
// continued as a whole, this process with it.
func (t *terminal) forwardable() []syscall.Signal {
	if t == nil || !t.shared {
		return Forwardable()
	}
	return slices.DeleteFunc(Forwardable(), func(sig syscall.Signal) bool { return slices.Contains(jobControl, sig) })
}

// nobody is whom a signal is for that the program got from the terminal.
const nobody = 0

// address returns to whom kill(2) is to send sig: the program, or its group.
func (t *terminal) address(sig syscall.Signal, pid int) int {
	switch {
	case t == nil:
	case t.shared && typed(sig) && t.inForeground():
		return nobody
	case t.shared:
	case sig == syscall.SIGCONT:
		t.give()
		return -pid // Ctrl-Z stopped all of it
	case typed(sig) && t.give():
		return -pid // all would have got it, had they been in the foreground
	}
	return pid
}

// attributes are how the program is started: in a group of its own, unless that is
// shared, and in the foreground, if this process is there, before it can read.
func (t *terminal) attributes() *syscall.SysProcAttr {
	switch {
	case t == nil:
		return &syscall.SysProcAttr{Setpgid: true}
	case t.shared || !t.inForeground():
		return &syscall.SysProcAttr{Setpgid: !t.shared}
	}
	return &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: t.fd}
}

// given tells t that the program's group has been put in the foreground, if this
// process's was there. From now on TTOU, which would stop this process when it
// writes to its log (stty tostop) or takes the terminal back, is ignored.
func (t *terminal) given(app int) {
	if t.isGiven() {
		t.app = app
		signal.Ignore(syscall.SIGTTOU)
	}
}

// give puts the program's group in the foreground if this process's is there, and
// tells whether it was: a shell's fg puts it there.
func (t *terminal) give() bool {
	return t.inForeground() && unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.app) == nil
}

// takeBack puts this process's group in the foreground if the program's is there,
// or one that has gone, such as that of a program that could not be started.
func (t *terminal) takeBack() {
	if !t.isGiven() {
		return
	}
	now, err := foregroundOf(t.fd)
	if err == nil && now != t.own && (now == t.app || unix.Kill(-now, 0) == unix.ESRCH) {
		signal.Ignore(syscall.SIGTTOU)
		_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.own)
	}
}

// stopped is what happens when the program was stopped: this process stops, too,
// so that the shell takes over. Where no shell watches, nobody could make it go on
// after Ctrl-Z, and had it been started directly the kernel would not have stopped
// it, so it goes on.
func (t *terminal) stopped(group int, by syscall.Signal) {
	reads := by == syscall.SIGTTIN || by == syscall.SIGTTOU
	switch {
	case reads && t.give(): // after fg, of which not every shell tells a job that runs
		_ = unix.Kill(-group, syscall.SIGCONT)
	case watched():
		_ = unix.Kill(os.Getpid(), syscall.SIGSTOP)
	case by == syscall.SIGTSTP:
		_ = unix.Kill(-group, syscall.SIGCONT)
	}
}

// watched tells whether the parent is of this session, and so may be a shell that
// continues its jobs (POSIX: the group is not orphaned).
func watched() bool {
	own, err1 := unix.Getsid(0)
	parents, err2 := unix.Getsid(os.Getppid())
	return err1 == nil && err2 == nil && own == parents && own != os.Getpid()
}
