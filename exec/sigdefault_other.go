//go:build !linux

package exec

import "syscall"

// useDefaults does nothing: the signals keep the effects that Go gives them.
func useDefaults([]syscall.Signal) {}
