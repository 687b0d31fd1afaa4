package exec

// This file tests Supervise as a library; cmd/startgate/tests covers the real binary.

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
)

// supervise calls Supervise from a goroutine that is locked to its thread.
func supervise(t *testing.T, s *Signals, options Options, argv ...string) (int, error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return Supervise(Program{Path: argv[0], Args: argv, Env: os.Environ()}, s, options)
}

func TestSuperviseReturnsTheCode(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("exit 9"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		argv []string
		code int
	}{
		{[]string{"/bin/sh", "-c", "exit 0"}, 0},
		{[]string{"/bin/sh", "-c", "exit 255"}, 255},
		{[]string{"/bin/sh", "-c", "kill -KILL $$"}, 137},
		{[]string{script}, 9},
	} {
		if code, err := supervise(t, nil, Options{}, test.argv...); code != test.code || err != nil {
			t.Errorf("%q: code %d, error %v, want %d", test.argv, code, err, test.code)
		}
	}
}

func TestSuperviseProgramNotFound(t *testing.T) {
	var exit *ExitError
	if _, err := supervise(t, nil, Options{}, "/nowhere"); !errors.As(err, &exit) || exit.Code != CodeNotFound {
		t.Errorf("error is %v, want an ExitError with %d", err, CodeNotFound)
	}
}

func TestSuperviseDoesNotStartAfterASignal(t *testing.T) {
	s := catch(t, syscall.SIGUSR1)
	send(t, s, syscall.SIGUSR1)
	file := filepath.Join(t.TempDir(), "file")
	_, err := supervise(t, s, Options{}, "/bin/sh", "-c", ": >"+file)
	wantSignal(t, err, syscall.SIGUSR1)
	if _, err := os.Stat(file); err == nil {
		t.Error("the program was started")
	}
}

// The program gets the queued signals first, in their order.
func TestSuperviseForwardsQueuedSignals(t *testing.T) {
	s := catch(t)
	s.catch(syscall.SIGWINCH, syscall.SIGCONT)
	s.catching.Wait()
	send(t, s, syscall.SIGWINCH)
	send(t, s, syscall.SIGCONT)
	var forwarded []syscall.Signal
	options := Options{Forwarded: func(sig syscall.Signal) { forwarded = append(forwarded, sig) }}
	if _, err := supervise(t, s, options, "/bin/sh", "-c", "exit 0"); err != nil {
		t.Fatal(err)
	}
	if want := []syscall.Signal{syscall.SIGWINCH, syscall.SIGCONT}; !slices.Equal(forwarded, want) {
		t.Errorf("forwarded were %v, want %v", forwarded, want)
	}
}

// A PID that has been reaped may be another process's.
func TestNoSignalAfterReap(t *testing.T) {
	caught := catch(t, syscall.SIGUSR1)
	c := &child{pid: os.Getpid(), reaped: true, options: Options{Forwarded: func(syscall.Signal) { t.Error("was sent") }}}
	c.signal(syscall.SIGUSR1)
	c.reaped, c.options = false, Options{Forwarded: func(syscall.Signal) {}}
	c.signal(syscall.SIGUSR1) // it can be sent at all
	next(t, caught)
}
