package wait

import (
	"context"
	"os"
	"testing"
	"time"
)

// files returns how many descriptors this process has open.
func files(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Whatever comes of a probe, a wait or a quit, it leaves no descriptor open. That it
// leaves no goroutine, TestMain sees.
func TestNoDescriptorIsLeft(t *testing.T) {
	targets := costly(t)
	targets["refused"] = mustParse(t, "tcp://127.0.0.1:"+unusedPort(t))
	targets["hangs"] = mustParse(t, "http://"+serve(t, "127.0.0.1:0", hang))
	targets["no such host"] = mustParse(t, "tcp://no-such-host.invalid:1")
	targets["istio"] = mustParse(t, "istio")
	quit := quitTarget(t, serve(t, "127.0.0.1:0", hang))
	for _, target := range targets { // what is opened once, such as certificates and the resolver's
		target.Prober.Probe(within(t, 50*time.Millisecond))
	}
	before := files(t)
	for name, target := range targets {
		for range 20 {
			target.Prober.Probe(within(t, 50*time.Millisecond))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_ = For(ctx, target, Policy{})
		cancel()
		eventually(t, name, func() bool { return files(t) <= before })
	}
	Quit(within(t, 50*time.Millisecond), quit, false)
	AwaitGone(within(t, 50*time.Millisecond), quit)
	eventually(t, "quit", func() bool { return files(t) <= before })
}

// eventually waits for what the other side has a part in, too.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d descriptors are open", what, files(t))
		}
	}
}
