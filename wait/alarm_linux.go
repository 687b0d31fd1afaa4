package wait

import (
	"context"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// alarm sleeps between knocks, by a timer of the kernel. For one of its own, Go wakes three
// threads and one of them twice, because epoll_wait(2) counts milliseconds. The zero value
// is ready to use.
type alarm struct {
	file *os.File // nil: none yet
	fd   uintptr
	raw  syscall.RawConn
	stop func() bool
}

// sleep sleeps for d, or until ctx ends, which is the same for all calls. ok is false if it
// cannot.
func (a *alarm) sleep(ctx context.Context, d time.Duration) (ok bool) {
	if a.file == nil && a.open(ctx) != nil {
		return false
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(d), 1))} // 0 would disarm it
	_, _, err := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, a.fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if err != 0 {
		return false
	}
	_ = a.raw.Read(hasRung) // the error is that ctx has ended
	return true
}

func (a *alarm) open(ctx context.Context) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails if Go cannot wait for this file
	}
	if err != nil {
		_ = file.Close()
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Unix(1, 0)) })
	*a = alarm{file, uintptr(fd), raw, stop}
	return nil
}

// hasRung reports whether the time has come, and takes note of it.
func hasRung(fd uintptr) bool {
	var times uint64
	_, _, err := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&times)), unsafe.Sizeof(times))
	return err != unix.EAGAIN
}

func (a *alarm) close() {
	if a.file != nil {
		a.stop()
		_ = a.file.Close()
	}
}
