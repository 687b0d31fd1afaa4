package exec

// This file tests that a program's own writes do not raise a signal that is caught.

import (
	"os"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestWithoutWriteSignals(t *testing.T) {
	for sig, fail := range map[syscall.Signal]func(*testing.T) error{
		syscall.SIGPIPE: writeWithoutReader,
		syscall.SIGXFSZ: writeBeyondLimit,
	} {
		t.Run(SignalName(sig), func(t *testing.T) {
			s := catch(t, sig, syscall.SIGWINCH)
			WithoutWriteSignals(func() {
				if err := fail(t); err == nil {
					t.Error("the write did not fail")
				}
			})
			raise(t, syscall.SIGWINCH) // comes after the other one, as its number is larger
			if got := next(t, s); got != syscall.SIGWINCH {
				t.Errorf("caught %s, want only SIGWINCH", SignalName(got))
			}
			raise(t, sig) // by kill(2)
			next(t, s)
		})
	}
}

// writeWithoutReader writes to a pipe that nobody reads.
func writeWithoutReader(t *testing.T) error {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	_, err = w.WriteString("x")
	return err
}

// writeBeyondLimit writes more to a file than RLIMIT_FSIZE allows.
func writeBeyondLimit(t *testing.T) error {
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_FSIZE, &before) }()
	_, err = file.WriteString("x")
	return err
}

// A signal of another process may still be pending when the own ones are dropped. It
// was once dropped with them.
func TestWithoutWriteSignalsKeepsOthers(t *testing.T) {
	for _, sig := range writeSignals {
		s := catch(t, sig)
		WithoutWriteSignals(func() {
			info := siginfo{signo: int32(sig), pid: 1}
			if _, _, errno := syscall.RawSyscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(os.Getpid()), uintptr(unix.Gettid()),
				uintptr(sig), uintptr(unsafe.Pointer(&info)), 0, 0); errno != 0 {
				t.Fatal(errno)
			}
		})
		next(t, s)
	}
}
