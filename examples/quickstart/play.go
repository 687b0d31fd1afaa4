package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startgate = "github.com/startgate/startgate/cmd/startgate"

	// tooLong limits the play. It takes about five seconds.
	tooLong = time.Minute
)

// stopping has the signals after which there is something to clean up: Ctrl-C, a closed
// terminal, an output that nobody reads any more.
var stopping = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}

// play shows the incident and the cure, and leaves nothing behind.
func play() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), stopping...)
	defer stop()
	dir, err := os.MkdirTemp("", "startgate-quickstart-")
	if err != nil {
		return fmt.Errorf("cannot make a directory for the binary: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := build(ctx, dir); err != nil {
		return stopped(ctx, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tooLong, fmt.Errorf("not finished after %v", tooLong))
	defer cancel()
	return perform(ctx, dir)
}

// build makes ./startgate and ./app in dir. The application is this program.
func build(ctx context.Context, dir string) error {
	fmt.Println("building startgate (the first time takes longer)")
	cmd := command(ctx, "go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "startgate"), startgate)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot build startgate (run this in a clone of its repository): go build: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program, which is the application too: %w", err)
	}
	return os.Symlink(self, filepath.Join(dir, "app"))
}

// command returns a command that gets INT when ctx ends, and KILL five seconds later.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// stopped returns the cause if ctx has ended, because err is only its consequence.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("quickstart stopped: %w", context.Cause(ctx))
	}
	return err
}
