package exec

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is the controlling terminal of this process's session; nil means that
// there is none.
//
// The kernel sends what the user types (Ctrl-C) to one process group, the one in the
// terminal's foreground, and stops every other group that reads from the terminal.
// So while this process would be in the foreground, the program's group must be.
type terminal struct {
	fd     int
	opened bool // by findTerminal
	own    int  // this process's group
	// inLargerJob means that this process's group has other members, such as a
	// pipeline's. The program then stays in that group, and the terminal cannot be
	// given to the program alone.
	inLargerJob bool
	program     int // the program's group, if it has one of its own
}

// findTerminal returns the terminal if it is one of the standard descriptors, or if this
// process is a job of its own on it, of which the user may have redirected all three.
//
// A part of a larger job without the terminal in its standard descriptors does without
// it: the program may have been started to be sent INT by kill(2), as by timeout(1), which
// is not to be taken for a typed one.
func findTerminal() *terminal {
	own := unix.Getpgrp()
	inLargerJob := own != os.Getpid() || inPipeline()
	for fd := range 3 {
		if _, err := foregroundOf(fd); err == nil {
			return &terminal{fd: fd, own: own, inLargerJob: inLargerJob}
		}
	}
	if inLargerJob {
		return nil
	}
	fd, err := openTerminal()
	if err != nil {
		return nil
	}
	return &terminal{fd: fd, opened: true, own: own}
}

// close closes what findTerminal has opened.
func (t *terminal) close() {
	if t != nil && t.opened {
		_ = unix.Close(t.fd)
	}
}

// openTerminal opens the controlling terminal of this process's session. Without one the
// error is ENXIO (tty(4)).
func openTerminal() (fd int, err error) {
	return unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// inPipeline reports whether a standard descriptor is a pipe, or a socket, which some
// shells use as one. Of a process on a terminal, that makes a part of a pipeline.
func inPipeline() bool {
	return slices.ContainsFunc([]int{0, 1, 2}, func(fd int) bool {
		var stat unix.Stat_t
		err := unix.Fstat(fd, &stat)
		return err == nil && (stat.Mode&unix.S_IFMT == unix.S_IFIFO || stat.Mode&unix.S_IFMT == unix.S_IFSOCK)
	})
}

// ownsJob reports whether this process is a job of its own on a terminal, so that
// the program may have the terminal.
func (t *terminal) ownsJob() bool { return t != nil && !t.inLargerJob }

// sharesGroup reports whether the program is in this process's group.
func (t *terminal) sharesGroup() bool { return t != nil && t.inLargerJob }

// inForeground reports whether this process's group is in the foreground.
func (t *terminal) inForeground() bool {
	group, err := foregroundOf(t.fd)
	return err == nil && group == t.own
}

// sentByTerminal reports whether sig is one that a terminal sends.
func sentByTerminal(sig syscall.Signal) bool {
	return slices.Contains([]syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGWINCH}, sig)
}

// forwardable returns the signals to catch and forward. A larger job is stopped and
// continued as a whole, and this process with it.
func (t *terminal) forwardable() []syscall.Signal {
	if !t.sharesGroup() {
		return Forwardable()
	}
	return slices.DeleteFunc(Forwardable(), func(sig syscall.Signal) bool { return slices.Contains(jobControl, sig) })
}

// skip is the recipient of a signal that the terminal has already delivered to the
// program.
const skip = 0

// recipient returns the process, or the negative group, to which kill(2) must send
// sig for the program pid, or skip.
func (t *terminal) recipient(sig syscall.Signal, pid int) int {
	switch {
	case t == nil:
	case t.inLargerJob && sentByTerminal(sig) && t.inForeground():
		return skip
	case t.inLargerJob:
	case sig == syscall.SIGCONT:
		t.toForeground()
		return -pid // Ctrl-Z stopped the whole group
	case sentByTerminal(sig) && t.toForeground():
		return -pid // the terminal would have delivered it to the whole foreground group
	}
	return pid
}

// attributes returns how to start the program: in a group of its own unless this
// process is part of a larger job, and, if this process is in the foreground, with
// that group in the foreground before the program can read.
func (t *terminal) attributes() *syscall.SysProcAttr {
	switch {
	case t == nil:
		return &syscall.SysProcAttr{Setpgid: true}
	case t.inLargerJob || !t.inForeground():
		return &syscall.SysProcAttr{Setpgid: !t.inLargerJob}
	}
	return &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: t.fd}
}

// programStarted records the program's process group. From here on this process is
// in the background, so it ignores TTOU: otherwise writing its log (with stty tostop)
// or taking the terminal back would stop it.
func (t *terminal) programStarted(pid int) {
	if t.ownsJob() {
		t.program = pid
		signal.Ignore(syscall.SIGTTOU)
	}
}

// toForeground moves the foreground from this process's group, where a shell's fg
// puts it, to the program's. It reports whether it did.
func (t *terminal) toForeground() bool {
	return t.inForeground() && unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.program) == nil
}

// restoreForeground puts this process's group in the foreground if the program's is
// there, or one that does not exist any more, such as that of a program that could
// not be started.
func (t *terminal) restoreForeground() {
	if !t.ownsJob() {
		return
	}
	group, err := foregroundOf(t.fd)
	if err == nil && group != t.own && (group == t.program || unix.Kill(-group, 0) == unix.ESRCH) {
		signal.Ignore(syscall.SIGTTOU)
		_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.own)
	}
}

// programStopped acts on a stop of the program by a signal. This process stops too,
// so that the shell takes over. Without a shell, no user could continue the program
// after Ctrl-Z, so it is continued at once: started directly, the kernel would not
// have stopped it either.
func (t *terminal) programStopped(group int, by syscall.Signal) {
	usedTerminal := by == syscall.SIGTTIN || by == syscall.SIGTTOU
	switch {
	case usedTerminal && t.toForeground(): // after fg: not every shell sends CONT to a job that runs
		_ = unix.Kill(-group, syscall.SIGCONT)
	case underShell():
		_ = unix.Kill(os.Getpid(), syscall.SIGSTOP)
	case by == syscall.SIGTSTP:
		_ = unix.Kill(-group, syscall.SIGCONT)
	}
}

// underShell reports whether the parent is in this session: it may then be a shell
// that continues its jobs. In POSIX terms, this process's group is not orphaned.
func underShell() bool {
	own, err1 := unix.Getsid(0)
	parents, err2 := unix.Getsid(os.Getppid())
	return err1 == nil && err2 == nil && own == parents && own != os.Getpid()
}
