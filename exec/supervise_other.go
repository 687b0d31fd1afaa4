//go:build !linux

package exec

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func setDeathSignal(*syscall.SysProcAttr) {}

func unsetDeathSignal(*syscall.SysProcAttr) bool { return false }

func becomeSubreaper(Options) {}

func foregroundOf(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCGPGRP) }

// nextChild always fails: there is no waitid with WNOWAIT in package unix.
func nextChild(bool) (int, syscall.Signal, error) { return 0, 0, unix.ENOSYS }
