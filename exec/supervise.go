package exec

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Options configures [Supervise]. The zero value is ready to use.
//
// The functions may be called from several goroutines at once. They should not block:
// meanwhile no signal is forwarded.
type Options struct {
	// Group sends signals to all processes of the program's group, not to the program
	// alone: of a shell's pipeline to each part. Where the group is also this process's,
	// as part of a larger job on a terminal, the program alone gets them.
	Group bool
	// Forwarded, if not nil, is called after each signal that was sent to the program.
	Forwarded func(syscall.Signal)
	// Degraded, if not nil, is called with each thing that this machine does not
	// permit, such as reaping orphans ([ErrNoSubreaper]). The program is started all the
	// same.
	Degraded func(error)
}

// Supervise starts the program as a child process and returns after it exits, with
// its exit code, or 128+n when signal n ended it.
//
// Until then this process is an init. It forwards every signal of [Forwardable] to
// the program once. It reaps orphans, as PID 1 or, on Linux, as a subreaper
// (PR_SET_CHILD_SUBREAPER of prctl(2)). It leaves orphans that outlive the program to
// the system.
//
// The program gets a process group of its own. If this process is a job of its own
// on a terminal, the program gets the terminal: Ctrl-C reaches only the program,
// Ctrl-Z stops both, and a shell's fg and bg continue both. If this process is part
// of a larger job, such as a pipeline or a script, the program stays in that job's
// group: what the user types reaches it there, and is not forwarded again.
//
// The program has the descriptors, limits, signal mask and ignored signals with
// which this process was started. On Linux, the kernel kills it when this process
// ends first (PR_SET_PDEATHSIG).
//
// Call it from the main goroutine, locked to its thread: the kernel kills the
// program when the thread that started it ends. Until Supervise returns, nothing
// else may use signals, which may be nil; they are still caught afterwards.
//
// If a signal that signals caught arrived before the start and was not reported yet,
// Supervise does not start the program and returns a [*SignalError].
// If the program cannot be run, it returns an [*ExitError].
func Supervise(program Program, signals *Signals, options Options) (code int, err error) {
	if signals == nil {
		signals = Catch()
		defer func() { _ = signals.Stop() }()
	}
	options = options.withDefaults()
	becomeSubreaper(options)
	tty := findTerminal()
	defer tty.close()
	signals.catch(tty.forwardable()...)
	signals.catching.Wait()
	if err := signals.pendingEnd(); err != nil {
		return 0, err
	}
	defer tty.restoreForeground()
	c, err := start(program, tty, options)
	if err != nil {
		return 0, err
	}
	stop := c.forward(signals)
	defer stop()
	return c.wait()
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

	mu     sync.Mutex
	reaped bool // pid may be another process's
}

// withoutDeathSignal are what the start may fail with where a filter forbids to set a
// parent-death signal, or a kernel does not know it.
var withoutDeathSignal = []error{syscall.EPERM, syscall.ENOSYS, syscall.EINVAL}

// start starts the program.
func start(program Program, tty *terminal, options Options) (*child, error) {
	c := &child{tty: tty, options: options}
	attributes := &syscall.ProcAttr{Env: program.Env, Files: []uintptr{0, 1, 2}, Sys: tty.attributes()}
	setDeathSignal(attributes.Sys)
	err := run(program, func(path string, argv []string) (err error) {
		c.pid, err = syscall.ForkExec(path, argv, attributes)
		if slices.Contains(withoutDeathSignal, err) && unsetDeathSignal(attributes.Sys) {
			c.pid, err = syscall.ForkExec(path, argv, attributes)
			if err == nil && unix.Getpid() != 1 { // with which the kernel kills them all
				options.Degraded(errors.New("cannot set a parent-death signal: the program goes on when this process is killed"))
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	tty.programStarted(c.pid)
	return c, nil
}

// forward sends the queued signals to the program, and then each one that arrives,
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

// signal forwards one signal, unless the program has been reaped.
func (c *child) signal(sig syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaped {
		return
	}
	to := c.tty.recipient(sig, c.pid)
	switch {
	case to == skip:
		return
	case c.options.Group && !c.tty.sharesGroup():
		to = -c.pid
	}
	if err := unix.Kill(to, sig); err != nil {
		c.options.Degraded(fmt.Errorf("cannot send %s to the program: %w", SignalName(sig), err))
		return
	}
	c.options.Forwarded(sig)
}
