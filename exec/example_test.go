package exec_test

// This file shows how the package is used.

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

// A real program locks its main goroutine to its thread in an init function.
func ExampleSupervise() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := exec.Catch(syscall.SIGTERM)
	defer func() { _ = signals.Stop() }()

	program := exec.Program{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -TERM $$"}, Env: exec.Environ()}
	code, err := exec.Supervise(program, signals, exec.Options{
		Degraded: func(err error) { fmt.Println("degraded:", err) },
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
