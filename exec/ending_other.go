//go:build !linux

package exec

import (
	"os/signal"
	"syscall"
)

var platformEnding []syscall.Signal

// ignored reports whether sig is ignored.
func ignored(sig syscall.Signal) bool { return signal.Ignored(sig) }

// blocked returns a function that reports false.
func blocked() func(syscall.Signal) bool { return func(syscall.Signal) bool { return false } }
