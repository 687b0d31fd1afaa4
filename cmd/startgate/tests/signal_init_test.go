//go:build linux

package tests

// R13: signals before main.

import (
	"bufio"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// R13: when one package has been initialised after os/signal, without which no signal can
// be caught.
func TestSignalDuringInitialisation(t *testing.T) {
	inPIDs(t, func(t *testing.T, pid1 bool) {
		for _, sig := range theEnding[:4] {
			r, w := lockstepPipe(t)
			cmd := command([]string{"WAIT_FOR=none"}, binary, "--", "echo", "APP UP")
			cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
			cmd.Stderr = w
			p := startAs(t, cmd, pid1)
			w.Close()
			first := initialisedAfter(p, r, "os/signal")
			p.send(sig)
			var reading sync.WaitGroup
			reading.Go(func() { _, _ = io.Copy(&p.log, r) })
			p.ends(128 + int(sig))
			reading.Wait()
			p.logHas("event=stopped")
			if t.Failed() {
				t.Fatalf("%s was sent after the initialisation of %s", unix.SignalName(sig), first)
			}
		}
	})
}

// lockstepPipe returns a pipe that holds what one write(2) has written: its writer is
// never further than one write ahead of its reader.
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

// initialisedAfter reads Go's trace of the initialisation until this package and the next
// have been initialised, and returns the next one.
func initialisedAfter(p *process, trace io.Reader, name string) string {
	p.Helper()
	found := false
	for lines := bufio.NewScanner(trace); lines.Scan(); {
		words := strings.Fields(lines.Text()) // init os/signal @0.7 ms, 0.004 ms clock, …
		switch {
		case len(words) < 2 || words[0] != "init":
		case found:
			return words[1]
		default:
			found = words[1] == name
		}
	}
	p.Fatalf("%s has not been initialised", name)
	return ""
}
