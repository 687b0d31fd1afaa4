package wait

// This file lets tests that run as root check what happens without permission.

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// asUnprivileged calls do without root's access to files.
func asUnprivileged(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		if os.Getuid() == 0 {
			// This also drops the capabilities for files (capabilities(7)).
			_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, unprivileged, 0, 0)
		}
		do()
	}()
	<-done
}
