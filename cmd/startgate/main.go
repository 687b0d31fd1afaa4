// Startgate is a container's entrypoint: it waits until the pod's sidecar is
// ready, and then becomes the application.
//
//	ENTRYPOINT ["/startgate", "--"]
//	CMD ["/app", "--flag"]
//
// startgate --help lists the settings, which are environment variables. The
// packages wait and exec beside this one do the work.
package main

import (
	"io"
	"log"
	"os"
	"runtime"
	"syscall"

	"github.com/startgate/startgate/exec"
)

// ending are the signals that end the wait. QUIT is caught first, because what Go
// does by default is the worst: it prints all stacks.
var ending = []syscall.Signal{syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}

// caught has the signals since init.
var caught *exec.Signals

// init keeps the main goroutine on the first thread, from which execve keeps what
// Linux ties to it, and catches signals before anything else is done.
func init() {
	runtime.LockOSThread()
	caught = exec.Catch(ending...)
}

func main() {
	log.SetOutput(io.Discard) // net/http tells it what a server does wrong; the answer says so too
	g := gate{args: os.Args[1:], environ: exec.Environ(), signals: caught, stdout: os.Stdout, stderr: standardError()}
	os.Exit(g.report(g.run()))
}
