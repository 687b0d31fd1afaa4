package wait

import (
	"bytes"
	"context"
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

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// need skips a test on a machine without one of these commands, or without root
// for "root". With NOSKIP=1, as in CI, it fails instead.
func need(t testing.TB, what ...string) {
	t.Helper()
	for _, name := range what {
		_, err := exec.LookPath(name)
		if name == "root" {
			err = nil
			if os.Getuid() != 0 {
				err = os.ErrPermission
			}
		}
		switch {
		case err == nil:
		case os.Getenv("NOSKIP") != "":
			t.Fatalf("needs %s", name)
		default:
			t.Skipf("needs %s", name)
		}
	}
}

// ownNetwork has the name of the test that runs in a network namespace of its own.
const ownNetwork = "STARTGATE_TEST_OWN_NETWORK"

// inOwnNetwork runs the calling test again, alone, in a network namespace that
// has a loopback interface and what setup, a shell script, adds to it. It returns
// true there, and false in the first process when that is over. what are the
// commands that setup needs.
func inOwnNetwork(t *testing.T, setup string, what ...string) bool {
	t.Helper()
	if os.Getenv(ownNetwork) == t.Name() {
		return true
	}
	need(t, append(what, "root", "unshare", "ip")...)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-ec", "ip link set lo up\n"+setup+"\nexec \"$@\"",
		"sh", self, "-test.v", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	again.Env = append(os.Environ(), ownNetwork+"="+t.Name())
	out, err := again.CombinedOutput()
	t.Logf("in a network namespace:\n%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("failed in a network namespace: %v", err)
	}
	return false
}

// patience is how long a server of these tests waits for its client: long enough
// to be noticed when the client should have been gone by then.
const patience = 10 * time.Second

// serve answers every connection to addr with talk, and returns the address. The
// connection is closed when talk returns.
func serve(t testing.TB, addr string, talk func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var talks sync.WaitGroup
	talks.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			talks.Go(func() {
				defer conn.Close()
				talk(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		talks.Wait()
	})
	return listener.Addr().String()
}

// hang waits until the other side closes conn.
func hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// unusedPort returns a port on which nobody listens.
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
	attempt = 250 * time.Millisecond // the time-out of one probe in these tests
	slack   = 2 * time.Second        // for a busy machine; less than patience
	thrift  = 512 << 10              // what a probe and the server in this process may allocate
)

// probe asks target once, and checks what holds for every probe: it is over in
// time and allocates little, whatever the server does.
func probe(t testing.TB, target Target) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), attempt)
	defer cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	answer := target.Prober.Probe(ctx)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if took > attempt+slack {
		t.Errorf("%s: took %v of %v", target.Name, took, attempt)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > thrift {
		t.Errorf("%s: allocated %d kB", target.Name, n>>10)
	}
	return answer
}
