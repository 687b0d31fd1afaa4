package wait

// This file covers that nothing stays open after a probe, a wait or a shutdown request.

import (
	"os"
	"testing"
	"time"
)

// openFiles returns how many descriptors this process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Whatever the result of a probe, a wait or a shutdown request, it leaves no descriptor
// open. TestMain checks that it leaves no goroutine.
func TestNoDescriptorIsLeft(t *testing.T) {
	targets := readyTargets(t)
	targets["refused"] = mustParse(t, "tcp://127.0.0.1:"+unusedPort(t))
	targets["hangs"] = mustParse(t, "http://"+serve(t, "127.0.0.1:0", hang))
	targets["no such host"] = mustParse(t, "tcp://no-such-host.invalid:1")
	targets["istio"] = mustParse(t, "istio")
	quit := quitTarget(t, serve(t, "127.0.0.1:0", hang))
	for _, target := range targets { // opens what stays open, such as the files of the resolver
		target.Prober.Probe(withTimeout(t, 50*time.Millisecond))
	}
	before := openFiles(t)
	for name, target := range targets {
		for range 5 {
			target.Prober.Probe(withTimeout(t, 50*time.Millisecond))
		}
		_ = For(withTimeout(t, 100*time.Millisecond), target, Policy{})
		eventually(t, name+" leaves no descriptor", func() bool { return openFiles(t) <= before })
	}
	Quit(withTimeout(t, 50*time.Millisecond), quit, false)
	AwaitGone(withTimeout(t, 50*time.Millisecond), quit)
	eventually(t, "quit leaves no descriptor", func() bool { return openFiles(t) <= before })
}
