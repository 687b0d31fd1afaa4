package wait

// This file holds what the tests share: skipping, network namespaces, servers on loopback,
// and probes within limits.

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// testDir holds what is made once for all tests.
var testDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "startgate") })

func TestMain(m *testing.M) {
	_, _ = x509.SystemCertPool() // its memory is not that of the first probe with TLS
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir, err := testDir(); err == nil {
			os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}

// skip skips a test, or fails it when NOSKIP is set, as in CI.
func skip(t testing.TB, why ...any) {
	t.Helper()
	if os.Getenv("NOSKIP") != "" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

// need skips a test on a machine without one of these commands.
func need(t testing.TB, commands ...string) {
	t.Helper()
	for _, name := range commands {
		if _, err := exec.LookPath(name); err != nil {
			skip(t, "needs ", name)
		}
	}
}

// needRoot skips a test that does not run as root.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "needs root")
	}
}

// ownNetwork is the variable with the name of the test that runs in its own network
// namespace.
const ownNetwork = "STARTGATE_TEST_OWN_NETWORK"

// inOwnNetwork runs the calling test again, alone, in a network namespace that has a
// loopback interface and whatever the shell script setup adds. It returns true in that
// process, and false in the first one when the other has exited. The test is skipped
// without one of commands.
func inOwnNetwork(t *testing.T, setup string, commands ...string) bool {
	t.Helper()
	if os.Getenv(ownNetwork) == t.Name() {
		return true
	}
	needRoot(t)
	need(t, append(commands, "unshare", "ip")...)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-ec", "ip link set lo up\n"+setup+"\nexec \"$@\"",
		"sh", self, "-test.v", fmt.Sprintf("-test.short=%v", testing.Short()), "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	again.Env = append(os.Environ(), ownNetwork+"="+t.Name())
	out, err := again.CombinedOutput()
	t.Logf("in a network namespace:\n%s", out)
	switch {
	case err != nil:
		t.Errorf("failed in a network namespace: %v", err)
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
		t.Skip("skipped in a network namespace")
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Error("did not run in a network namespace")
	}
	return false
}

// patience is how long a server of these tests waits for a client that should have closed
// the connection: long enough for a test to notice.
const patience = 30 * time.Second

// serve calls handle for every connection to addr, and returns the address. It closes the
// connection when handle returns.
func serve(t testing.TB, addr string, handle func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			running.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// hang waits until the other side closes conn.
func hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// unusedPort returns a port on which nothing listens.
func unusedPort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// mustParse returns the target of s.
func mustParse(t testing.TB, s string) Target {
	t.Helper()
	target, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

const (
	brief    = 100 * time.Millisecond // the time limit of a probe that is to time out
	ample    = 10 * time.Second       // the time limit of any other probe, also on a busy machine
	slack    = 10 * time.Second       // how late a probe may return on a busy machine; ample+slack is less than patience
	maxAlloc = 512 << 10              // what a probe and the server in this process may allocate, in bytes
)

// probe probes target once, with ample time.
func probe(t testing.TB, target Target) Answer {
	t.Helper()
	return probeWithin(t, ample, target)
}

// probeFor probes target for an answer with this outcome and with a detail that ends with
// detail. The first probe is brief. If it times out too early for that answer, as on a busy
// machine, the next ones take longer.
func probeFor(t testing.TB, target Target, outcome Outcome, detail string) Answer {
	t.Helper()
	for limit := brief; ; limit *= 4 {
		answer := probeWithin(t, limit, target)
		wanted := answer.Outcome == outcome && strings.HasSuffix(answer.Detail, detail)
		if wanted || answer.Outcome != Timeout || limit > ample {
			return answer
		}
	}
}

// probeWithin probes target once, and checks what holds for every probe: it returns in time
// and allocates little, whatever the server does.
func probeWithin(t testing.TB, limit time.Duration, target Target) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	answer := target.Prober.Probe(ctx)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if took > limit+slack {
		t.Errorf("%s: took %v of %v", target.Name, took, limit)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAlloc {
		t.Errorf("%s: allocated %d kB", target.Name, n>>10)
	}
	return answer
}

// eventually waits until ok returns true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after a minute: %s", what)
		}
	}
}

// withTimeout returns a context that ends after limit, or with the test.
func withTimeout(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
