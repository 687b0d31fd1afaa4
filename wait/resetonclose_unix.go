//go:build unix

package wait

import "syscall"

// resetOnClose makes close(2) of a socket reset its connection.
func resetOnClose(fd uintptr) {
	_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}
