//go:build unix

package exec

import (
	"fmt"
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
// Meanwhile it is an init: every signal of [Forwardable] is handed on to the
// program once, those that signals has caught before too, and orphans are reaped, as
// PID 1 and elsewhere as a subreaper. Orphans that outlive the program are left to
// the system.
//
// The program is in a process group of its own. Where this process leads a job of
// its own on a terminal, the program gets the terminal: Ctrl-C reaches it, and not
// this process; Ctrl-Z stops both, and a shell's fg and bg continue both. As a
// part of a larger job, such as a pipeline or a script, the program stays in that
// job's group: what is typed reaches it there, and is not handed on again.
//
// The program's descriptors, limits, signal mask and ignored signals are those
// that this process got. It is killed when this process ends before it.
//
// The main goroutine must be locked to its thread, and call it: the kernel kills
// the program when the thread that started it ends. Calling it ends the use of
// signals by others; they are still caught when it has returned. signals may be nil.
//
// A signal given to [Catch] that arrived before the start ends it instead: the
// error is a [*SignalError]. An [*ExitError] says why the program could not be run.
func Supervise(program Program, signals *Signals, options Options) (code int, err error) {
	if signals == nil {
		signals = Catch()
		defer func() { _ = signals.Stop() }()
	}
	options = options.withDefaults()
	becomeSubreaper(options)
	tty := findTerminal()
	signals.CatchMore(tty.forwardable()...)
	if err := signals.pendingEnd(); err != nil {
		return 0, err
	}
	defer tty.takeBack()
	app, err := start(program, tty, options)
	if err != nil {
		return 0, err
	}
	stop := app.forward(signals)
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
	pid     int
	tty     *terminal
	options Options

	mu   sync.Mutex
	over bool // it is reaped, and its PID may be another process's
}

// start starts the program.
func start(program Program, tty *terminal, options Options) (*child, error) {
	app := &child{tty: tty, options: options}
	attributes := &syscall.ProcAttr{Env: program.Env, Files: []uintptr{0, 1, 2}, Sys: tty.attributes()}
	withDeathSignal(attributes.Sys)
	err := run(program, func(path string, argv []string) (err error) {
		app.pid, err = syscall.ForkExec(path, argv, attributes)
		if (err == syscall.EPERM || err == syscall.ENOSYS) && withoutDeathSignal(attributes.Sys) {
			if app.pid, err = syscall.ForkExec(path, argv, attributes); err == nil {
				options.Degraded(fmt.Errorf("cannot set a parent-death signal: the program goes on when this process is killed"))
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	tty.given(app.pid)
	return app, nil
}

// forward sends the queued signals to the program, and then every one that arrives,
// until the returned function is called.
func (c *child) forward(s *Signals) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	for _, sig := range s.queued {
		c.signal(sig)
	}
	s.queued = nil
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
	to := c.tty.address(sig, c.pid)
	if to == nobody {
		return
	}
	if err := unix.Kill(to, sig); err != nil {
		c.options.Degraded(fmt.Errorf("cannot send %s to the program: %w", SignalName(sig), err))
		return
	}
	c.options.Forwarded(sig)
}
