package exec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/startgate/startgate/exec"
)

func ExampleFind() {
	_, err := exec.Find("no-such-program", "/usr/bin:/bin")
	fmt.Println(err)

	var exit *exec.ExitError
	if errors.As(err, &exit) {
		fmt.Println(exit.Code)
	}
	// Output:
	// cannot run no-such-program: not found in PATH=/usr/bin:/bin
	// 127
}

// The main goroutine is to be locked to its thread, from an init function on.
func ExampleSupervise() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := exec.Catch(syscall.SIGTERM)
	defer func() { _ = signals.Stop() }()

	program := exec.Program{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -TERM $$"}, Env: exec.Environ()}
	code, err := exec.Supervise(program, signals, exec.Options{
		Degraded: func(err error) { fmt.Println("does without:", err) },
	})
	fmt.Println(code, err)
	// Output: 143 <nil>
}

// A signal interrupts the wait, and is its error.
func ExampleSignals_Do() {
	signals := exec.Catch(syscall.SIGUSR1)
	defer func() { _ = signals.Stop() }()

	err := signals.Do(context.Background(), func(ctx context.Context) error {
		_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1) // as docker stop or a kubelet would, with TERM
		<-ctx.Done()
		return context.Cause(ctx)
	})

	var end *exec.SignalError
	if errors.As(err, &end) {
		fmt.Println(end, end.Code())
	}
	// Output: ended by SIGUSR1 138
}
