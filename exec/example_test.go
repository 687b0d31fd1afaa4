package exec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// What is done under the context can be ended by a signal, which is then its cause.
func ExampleSignals_Context() {
	signals := exec.Catch(syscall.SIGUSR1)
	defer func() { _ = signals.Stop() }()

	ctx, stop := signals.Context(context.Background())
	_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1) // as docker stop or a kubelet would, with TERM
	<-ctx.Done()
	stop()

	var end *exec.SignalError
	if errors.As(context.Cause(ctx), &end) {
		fmt.Println(end, end.Code())
	}
	// Output: ended by SIGUSR1 138
}
