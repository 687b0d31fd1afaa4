//go:build unix

package wait

import "syscall"

// lingerNot makes closing fd reset its connection.
func lingerNot(fd uintptr) {
	_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}
