//go:build unix && !linux

package exec

import (
	"syscall"

	"golang.org/x/sys/unix"
)

var forwardableHere []syscall.Signal

func attributesFor(t *terminal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: t != nil || !onTerminal()}
}

func withoutDeathSignal(*syscall.SysProcAttr) bool { return false }

func becomeSubreaper(Options) {}

// nextChild says that there is nothing like waitid's WNOWAIT to be had.
func nextChild(bool) (int, syscall.Signal, error) { return 0, 0, unix.ENOSYS }
