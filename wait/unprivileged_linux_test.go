package wait

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// asUnprivileged does what must fail for want of permission.
func asUnprivileged(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if os.Getuid() == 0 {
			// Capabilities over files go with it (capabilities(7)).
			_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, unprivileged, 0, 0)
		}
		do()
	}()
	<-done
}
