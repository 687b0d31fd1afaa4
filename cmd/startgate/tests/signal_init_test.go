//go:build linux

package tests

// R13: signals before main.

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// R13: when one package has been initialised after os/signal, without which no signal can
// be caught.
func TestSignalDuringInitialisation(t *testing.T) {
	inPIDs(t, func(t *testing.T, pid1 bool) {
		for _, sig := range theEnding[:4] {
			p, trace := startTraced(t, pid1)
			trace.untilInit("os/signal")
			next := trace.untilInit("")
			p.send(sig)
			trace.untilEnd()
			p.ends(128 + int(sig))
			p.logHas("event=stopped")
			if t.Failed() {
				t.Fatalf("%s was sent after the initialisation of %s", unix.SignalName(sig), next)
			}
		}
	})
}

// R13: the limit. Before that Go's runtime ends PID 1.
func TestPID1EndsWith2BeforeInitialisation(t *testing.T) {
	needRoot(t)
	for _, sig := range theEnding[:4] {
		p, trace := startTraced(t, true)
		trace.untilInit("runtime")
		p.send(sig)
		trace.untilEnd()
		p.ends(runtimeCode)
	}
}

// initTrace is what Go writes about each package that it has initialised.
type initTrace struct {
	p     *process
	lines *bufio.Scanner
}

// startTraced starts startgate. It is never further than one write(2) ahead of what is read
// of its trace.
func startTraced(t *testing.T, pid1 bool) (*process, initTrace) {
	t.Helper()
	r, w := lockstepPipe(t)
	cmd := command([]string{"WAIT_FOR=none"}, binary, "--", "true")
	cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
	cmd.Stderr = w
	p := startAs(t, cmd, pid1)
	w.Close()
	return p, initTrace{p, bufio.NewScanner(r)}
}

// untilInit reads until a package has been initialised, or any one, and returns its name.
func (trace initTrace) untilInit(name string) string {
	trace.p.Helper()
	for trace.lines.Scan() {
		words := strings.Fields(trace.lines.Text()) // init os/signal @0.7 ms, 0.004 ms clock, …
		if len(words) > 1 && words[0] == "init" && (name == "" || words[1] == name) {
			return words[1]
		}
	}
	trace.p.Fatalf("the trace ended before the initialisation of %q", name)
	return ""
}

// untilEnd reads the rest, which becomes the process's log.
func (trace initTrace) untilEnd() {
	for trace.lines.Scan() {
		fmt.Fprintln(&trace.p.log, trace.lines.Text())
	}
}

// lockstepPipe returns a pipe that holds what one write(2) has written.
func lockstepPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_DIRECT); err != nil {
		t.Fatal(err)
	}
	r, w = os.NewFile(uintptr(ends[0]), "trace"), os.NewFile(uintptr(ends[1]), "trace")
	t.Cleanup(func() { r.Close() })
	if _, err := unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, os.Getpagesize()); err != nil {
		t.Fatal(err)
	}
	return r, w
}
