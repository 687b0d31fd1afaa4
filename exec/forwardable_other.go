//go:build !linux

package exec

import (
	"os/signal"
	"syscall"
)

var platformForwardable []syscall.Signal

// ignored reports whether sig is ignored.
func ignored(sig syscall.Signal) bool { return signal.Ignored(sig) }
