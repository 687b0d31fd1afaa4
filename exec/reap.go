package exec

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Reap reaps all children that end, until the function that it returns is called. As
// PID 1 or after [Supervise] they are orphans, and stay zombies otherwise.
//
// It is for a process that waits for no child itself: it takes every status, also that
// of a process which package os/exec has started. Supervise reaps by itself; stop before.
func Reap() (stop func()) {
	ended := make(chan os.Signal, 1) // one stands for any number
	signal.Notify(ended, unix.SIGCHLD)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer signal.Stop(ended)
		for {
			reapEnded()
			select {
			case <-ended:
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

// reapEnded reaps the children that have ended.
func reapEnded() {
	for {
		var pid int
		err := retry(func() (err error) { pid, err = unix.Wait4(-1, nil, unix.WNOHANG, nil); return err })
		if err != nil || pid == 0 {
			return
		}
	}
}

// wait reaps children until the program exits, and returns its exit code.
func (c *child) wait() (int, error) {
	for {
		pid, stopped, err := nextChild(c.tty.ownsJob())
		switch {
		case err != nil:
			return c.waitWithoutWaitid(err)
		case stopped != 0 && pid == c.pid:
			c.tty.programStopped(c.pid, stopped)
		case stopped != 0: // an orphan, which this process does not continue
		case pid == c.pid:
			return c.reap()
		default:
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

// reap takes the status of the program, which has exited. Until then no other process
// can get its PID.
func (c *child) reap() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reaped = true
	var status unix.WaitStatus
	if err := retry(func() error { _, err := unix.Wait4(c.pid, &status, 0, nil); return err }); err != nil {
		return 0, fmt.Errorf("cannot wait for the program: %w", err)
	}
	return exitCode(status), nil
}

// waitWithoutWaitid is wait where waitid fails, for this reason. For a moment after
// the program has exited, a signal may then still be sent to its PID.
func (c *child) waitWithoutWaitid(reason error) (int, error) {
	c.options.Degraded(fmt.Errorf("waitid is unavailable, using wait4 instead: %w", reason))
	options := 0
	if c.tty.ownsJob() {
		options = unix.WUNTRACED
	}
	for {
		var (
			pid    int
			status unix.WaitStatus
		)
		err := retry(func() (err error) { pid, err = unix.Wait4(-1, &status, options, nil); return err })
		switch {
		case err != nil:
			return 0, fmt.Errorf("cannot wait for the program: %w", err)
		case pid != c.pid:
		case status.Stopped():
			c.tty.programStopped(c.pid, status.StopSignal())
		default:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.reaped = true
			return exitCode(status), nil
		}
	}
}

// exitCode returns the exit code that a shell gives for a status.
func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// retry calls f again as long as a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
