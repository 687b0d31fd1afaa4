//go:build !linux

package exec

import "syscall"

func useDefaults([]syscall.Signal) {}
