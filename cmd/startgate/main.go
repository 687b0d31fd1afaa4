// Startgate is a container's entrypoint: it waits until the pod's sidecar is ready, and
// then becomes the application.
//
//	ENTRYPOINT ["/startgate", "--"]
//	CMD ["/app", "--flag"]
//
// startgate --help lists the settings, which are environment variables. The packages
// wait and exec beside this one do the work.
//
// A run goes from one file to the next:
//
//	main.go      catches signals, takes the environment
//	args.go      the command line: a program to start, or a flag
//	settings.go  the environment → settings (setting_types.go: how each is parsed)
//	plan.go      settings → plan: what to wait for, what to shut down, and why
//	presence.go  what is seen of a sidecar that is said not to be there (injection.go)
//	run.go       carries the plan out: wait, hand over, shut down the sidecars
//	waiting.go   waits (progress.go: logs how it goes; hint.go: what may be wrong)
//	release.go   ends the wait early, for startgate --release
//	exit.go      the exit code, and the reason on the way out
//	quit.go      asks the sidecars to shut down (quit_late.go: one that has not started)
//
// log.go has the log, and events.go what its lines are about.
package main

import (
	"io"
	"log"
	"os"
	"runtime"
	"syscall"

	"github.com/startgate/startgate/exec"
)

// stopSignals are what a user stops a program with. QUIT is caught first, because its
// default in Go is the worst: it prints all stacks.
var stopSignals = []syscall.Signal{syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}

// caught has the signals since init.
var caught *exec.Signals

// init keeps the main goroutine on the first thread, from which execve keeps what
// Linux ties to it, and catches the signals that matter most before anything else is
// done.
func init() {
	runtime.LockOSThread()
	caught = exec.Catch(stopSignals...)
}

func main() {
	caught.CatchMore(exec.Ending()...)
	log.SetOutput(io.Discard) // net/http logs what a server does wrong; the probe's answer says it too
	g := gate{args: os.Args[1:], environ: exec.Environ(), signals: caught, stdout: os.Stdout, stderr: standardError()}
	os.Exit(g.run())
}
