//go:build unix

package exec

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// wait reaps children until the program is over, and returns its code.
func (c *child) wait() (int, error) {
	for {
		pid, stopped, err := nextChild(c.tty.isGiven())
		switch {
		case err != nil:
			return c.waitWithout(err)
		case stopped != 0 && pid == c.pid:
			c.tty.stopped(c.pid, stopped)
		case stopped != 0: // an orphan, which is not this process's to continue
		case pid == c.pid:
			return c.reap()
		default:
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

// waitWithout reaps children where waitid is not to be had, for this reason. For a
// moment after the program is over a signal may then still be sent to its PID.
func (c *child) waitWithout(reason error) (int, error) {
	c.options.Degraded(fmt.Errorf("cannot use waitid, and do without: %w", reason))
	options := 0
	if c.tty.isGiven() {
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
			c.tty.stopped(c.pid, status.StopSignal())
		default:
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
