//go:build unix && !linux

package exec

import (
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

var forwardableHere []syscall.Signal

func ignored(sig syscall.Signal) bool { return signal.Ignored(sig) }

func withDeathSignal(*syscall.SysProcAttr) {}

func withoutDeathSignal(*syscall.SysProcAttr) bool { return false }

func becomeSubreaper(Options) {}

func foregroundOf(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCGPGRP) }

// nextChild says that there is nothing like waitid's WNOWAIT to be had.
func nextChild(bool) (int, syscall.Signal, error) { return 0, 0, unix.ENOSYS }
