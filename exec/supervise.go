//go:build unix

package exec

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Options are for [Supervise]. Its zero value is a good one.
type Options struct {
	// Forwarded is called after each signal that was handed on to the program.
	Forwarded func(syscall.Signal)
	// Degraded is called with each thing that this machine does not permit, such as
	// reaping orphans. The program is started all the same.
	Degraded func(error)
}

// Supervise starts the program as a child process and returns when it is over,
// with its exit code, or 128+n when signal n ended it.
//
// Meanwhile it is an init: every signal of [Forwardable] that s catches is handed
// on to the program once, those that came before it was started too, and orphans
// are reaped, as PID 1 and elsewhere as a subreaper. Orphans that outlive the
// program are left to the system.
//
// The program is in a process group of its own. When standard input and output
// are a terminal whose foreground is this process's group, it becomes the
// foreground: Ctrl-C reaches it, and not this process; Ctrl-Z stops both. With a
// terminal otherwise, as in a pipeline, it stays in this process's group. Its
// descriptors, limits, signal mask and ignored signals are those that this process
// got. It is killed when this process ends before it.
//
// The main goroutine must be locked to its thread, and call it: the kernel kills
// the program when the thread that started it ends. Calling it ends the use of s
// by others; when it has returned, s catches the same signals still.
//
// A signal given to [Catch] that arrived before the start ends it instead: the
// error is a [*SignalError]. An [*ExitError] says why the program could not be run.
func Supervise(program Program, s *Signals, options Options) (code int, err error) {
	options = options.withDefaults()
	becomeSubreaper(options)
	s.Also(Forwardable()...)
	s.collect()
	if err := s.last(); err != nil {
		return 0, err
	}
	app, err := start(program, options)
	if err != nil {
		return 0, err
	}
	defer app.terminal.takeBack()
	stop := app.forward(s)
	defer stop()
	return app.wait()
}

func (o Options) withDefaults() Options {
	if o.Forwarded == nil {
		o.Forwarded = func(syscall.Signal) {}
	}
	if o.Degraded == nil {
		o.Degraded = func(error) {}
	}
	return o
}

// child is the program while it runs.
type child struct {
	pid      int
	terminal *terminal // nil: none, or not its own
	options  Options

	mu   sync.Mutex
	over bool // it is reaped, and its PID may be another process's
}

// start starts the program.
func start(program Program, options Options) (*child, error) {
	app := &child{terminal: foreground(), options: options}
	attributes := &syscall.ProcAttr{Env: program.Env, Files: []uintptr{0, 1, 2}, Sys: attributesFor(app.terminal)}
	err := run(program, func(path string, argv []string) (err error) {
		app.pid, err = syscall.ForkExec(path, argv, attributes)
		if err == syscall.EPERM && withoutDeathSignal(attributes.Sys) {
			if app.pid, err = syscall.ForkExec(path, argv, attributes); err == nil {
				options.Degraded(fmt.Errorf("cannot set a parent-death signal: the program goes on when this process is killed"))
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	app.terminal.give(app.pid)
	return app, nil
}

// forward hands on what s catches, from what it has kept on, until the returned
// function is called.
func (c *child) forward(s *Signals) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	for _, sig := range s.kept {
		c.signal(sig)
	}
	s.kept = nil
	go func() {
		defer close(done)
		for {
			select {
			case sig := <-s.arrived:
				c.signal(sig.(syscall.Signal))
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// signal hands on one signal.
func (c *child) signal(sig syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	to := c.pid
	if sig == syscall.SIGCONT && c.terminal.give(c.pid) {
		to = -c.pid // Ctrl-Z stopped all of its group
	}
	if err := unix.Kill(to, sig); err != nil {
		c.options.Degraded(fmt.Errorf("cannot send %s to the program: %w", SignalName(sig), err))
		return
	}
	c.options.Forwarded(sig)
}

// wait reaps children until the program is over, and returns its code.
func (c *child) wait() (int, error) {
	for {
		pid, stopped, err := nextChild(c.terminal != nil)
		switch {
		case err != nil:
			return c.waitWithout(err)
		case pid == c.pid && stopped != 0:
			c.terminal.stopped(c.pid, stopped)
		case pid == c.pid:
			return c.reap()
		case stopped == 0:
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

// reap takes the program's status. Until then its PID is its own.
func (c *child) reap() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	var status unix.WaitStatus
	if err := retry(func() error { _, err := unix.Wait4(c.pid, &status, 0, nil); return err }); err != nil {
		return 0, fmt.Errorf("cannot wait for the program: %w", err)
	}
	return codeOf(status), nil
}

// waitWithout reaps children where waitid is not to be had, for this reason.
func (c *child) waitWithout(reason error) (int, error) {
	c.options.Degraded(fmt.Errorf("cannot use waitid, and do without: %w", reason))
	for {
		var (
			pid    int
			status unix.WaitStatus
		)
		err := retry(func() (err error) { pid, err = unix.Wait4(-1, &status, 0, nil); return err })
		switch {
		case err != nil:
			return 0, fmt.Errorf("cannot wait for the program: %w", err)
		case pid == c.pid:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.over = true
			return codeOf(status), nil
		}
	}
}

// codeOf is a shell's exit code for a status.
func codeOf(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// retry calls f until a signal does not interrupt it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// terminal is the terminal whose foreground this process's group had.
type terminal struct {
	fd  int
	own int // this process's group
}

// foreground returns the terminal of standard input and output, if this process's
// group is in its foreground.
func foreground() *terminal {
	t := &terminal{fd: 0, own: unix.Getpgrp()}
	for _, fd := range []int{0, 1} {
		if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || group != t.own {
			return nil
		}
	}
	return t
}

// onTerminal tells whether any standard descriptor is this session's terminal.
func onTerminal() bool {
	for fd := range 3 {
		if _, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil {
			return true
		}
	}
	return false
}

// give puts a group in the foreground if this process's is there, and tells
// whether there is a terminal to give.
func (t *terminal) give(group int) bool {
	if t == nil {
		return false
	}
	if now, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP); err == nil && now == t.own {
		_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, group)
	}
	return true
}

// takeBack puts this process's group in the foreground again, when the program
// and what it may have left there are over.
func (t *terminal) takeBack() {
	if t == nil {
		return
	}
	signal.Ignore(syscall.SIGTTOU) // the effect of doing so from the background
	_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.own)
}

// stopped is what happens when the terminal has stopped the program's group: this
// process stops, too, so that the shell takes over. Where no shell watches, nobody
// could make it go on, and a program that is started directly is not stopped, so
// it goes on.
func (t *terminal) stopped(group int, by syscall.Signal) {
	now, _ := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	switch {
	case by == syscall.SIGSTOP:
	case by != syscall.SIGTSTP && now == group: // it was early, and not in the foreground yet
		_ = unix.Kill(-group, syscall.SIGCONT)
	case !watched():
		if by == syscall.SIGTSTP {
			_ = unix.Kill(-group, syscall.SIGCONT)
		}
	default:
		_ = unix.Kill(os.Getpid(), syscall.SIGSTOP)
	}
}

// watched tells whether the parent is of this session, and so may be a shell that
// resumes its jobs (POSIX: the group is not orphaned).
func watched() bool {
	own, err1 := unix.Getsid(0)
	parents, err2 := unix.Getsid(os.Getppid())
	return err1 == nil && err2 == nil && own == parents && own != os.Getpid()
}
