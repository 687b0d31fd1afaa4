// Package early catches the signals that stop a program before other packages are
// initialised, which takes milliseconds on a busy machine. Until they are caught, Go's
// runtime ends the program by them, and PID 1 with code 2.
//
// It imports nothing but os/signal and what that needs. Go initialises the packages that
// are ready in the order of their paths, so that this one comes directly after os/signal.
package early

import (
	"os"
	"os/signal"
	"syscall"
)

// Stop are the signals that a user stops a program with. TERM is the first, because it is
// caught at once, and Kubernetes sends it; before each of the others Go waits for a
// thread. QUIT is next, because its default in Go is the worst: it prints all stacks.
var Stop = []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT, syscall.SIGHUP}

// Arrived has those of them that have arrived.
var Arrived = make(chan os.Signal, 1024)

// init leaves alone what is ignored, as by nohup, and is to stay ignored after execve.
func init() {
	for _, sig := range Stop {
		if !signal.Ignored(sig) {
			signal.Notify(Arrived, sig)
		}
	}
}
