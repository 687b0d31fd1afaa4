package wait

// This file covers connecting and knocking: localhost with its two addresses, sockets, and
// ports that must stay free.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// counting returns server with a count of its connections.
func counting(count *atomic.Int32, server func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		count.Add(1)
		server(conn)
	}
}

// needIPv6 skips a test on a machine without IPv6.
func needIPv6(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", "[::1]:0")
	if err == nil {
		listener.Close()
		return
	}
	skip(t, err)
}

// localhost means two addresses. It is ready when one of them is, whatever the program on
// the other one answers. A probe sends only one request when both addresses answer.
func TestLocalhost(t *testing.T) {
	needIPv6(t)
	up, down := says(statusOK+"\r\n"), says(unavailable+"\r\n")
	for _, test := range []struct {
		name       string
		ip4, ip6   func(net.Conn) // nil: nothing listens
		want       Outcome        // of the first or the second probe
		ask4, ask6 int32          // connections by then
	}{
		{"nothing", nil, nil, Refused, 0, 0},
		{"IPv4 only", up, nil, Ready, 1, 0},
		{"IPv6 only", nil, up, Ready, 0, 1},
		{"both", up, up, Ready, 1, 0},
		{"IPv4 only, not ready", down, nil, NotReady, 2, 0},
		{"IPv6 only, not ready", nil, down, NotReady, 0, 2},
		{"both not ready", down, down, NotReady, 1, 1},
		{"IPv4 not ready", down, up, Ready, 1, 1},
		{"IPv6 not ready", up, down, Ready, 1, 0},
		{"IPv4 silent", hang, up, Ready, 1, 1},
		{"IPv6 silent", up, hang, Ready, 1, 0},
		{"IPv4 reset", resets(""), up, Ready, 1, 1},
		{"IPv4 of another protocol", says("SSH-2.0-OpenSSH_9.2\r\n"), up, Ready, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			port := unusedPort(t)
			var ask4, ask6 atomic.Int32
			if test.ip4 != nil {
				serve(t, "127.0.0.1:"+port, counting(&ask4, test.ip4))
			}
			if test.ip6 != nil {
				serve(t, "[::1]:"+port, counting(&ask6, test.ip6))
			}
			target := mustParse(t, "http://localhost:"+port+"/")
			limit := ample
			if test.name == "IPv4 silent" {
				limit = brief
			}
			answer := probeWithin(t, limit, target)
			if answer.Outcome != Ready {
				answer = probe(t, target)
			}
			if answer.Outcome != test.want {
				t.Errorf("%v, want %v", answer, test.want)
			}
			if ask4.Load() != test.ask4 || ask6.Load() != test.ask6 {
				t.Errorf("asked IPv4 %d times and IPv6 %d times, want %d and %d", ask4.Load(), ask6.Load(), test.ask4, test.ask6)
			}
		})
	}
}

// Of two programs, one is never ready. When the other becomes ready, at most the second
// probe finds it.
func TestLocalhostReadyLater(t *testing.T) {
	needIPv6(t)
	port := unusedPort(t)
	var ready atomic.Bool
	serve(t, "127.0.0.1:"+port, says(unavailable+"\r\n"))
	serve(t, "[::1]:"+port, func(conn net.Conn) {
		if ready.Load() {
			says(statusOK + "\r\n")(conn)
		} else {
			says(unavailable + "\r\n")(conn)
		}
	})
	target := mustParse(t, "http://localhost:"+port+"/")
	for range 5 {
		if answer := probe(t, target); answer.Outcome != NotReady {
			t.Fatal(answer)
		}
	}
	ready.Store(true)
	first, second := probe(t, target), probe(t, target)
	if first.Outcome != Ready && second.Outcome != Ready {
		t.Errorf("%v, then %v", first, second)
	}
}

// In a pod without IPv6, ::1 counts as refused.
func TestLocalhostWithoutIPv6(t *testing.T) {
	if !inOwnNetwork(t, "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6") {
		return
	}
	if _, err := net.Listen("tcp", "[::1]:0"); err == nil {
		t.Fatal("there is IPv6")
	}
	port := unusedPort(t)
	target := mustParse(t, "http://localhost:"+port+"/")
	for _, prober := range []Prober{target.Prober, target.Knock[0], mustParse(t, "http://[::1]:"+port+"/").Prober} {
		answer := prober.Probe(t.Context())
		if answer.Outcome != Refused || !errors.Is(answer.Err, syscall.ECONNREFUSED) {
			t.Errorf("nothing listens: %v", answer)
		}
	}
	serve(t, "127.0.0.1:"+port, says(statusOK+"\r\n"))
	for range 2 {
		if answer := probe(t, target); answer.Outcome != Ready {
			t.Errorf("something listens: %v", answer)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	target := mustParse(t, "unix://"+path)
	if answer := probe(t, target); answer.Outcome != Refused || answer.Detail != "connect unix://"+path+": it does not exist" {
		t.Errorf("no file: %v", answer)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, prober := range []Prober{target.Prober, target.Knock[0]} {
		if answer := prober.Probe(t.Context()); answer.Outcome != Ready {
			t.Errorf("something listens: %v", answer)
		}
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	if answer := probe(t, target); answer.Outcome != Refused || answer.Detail != "connect unix://"+path+": connection refused" {
		t.Errorf("nothing listens any more: %v", answer)
	}
}

// A knock ends at once for both sides: the server sees a reset, and no socket stays in
// TIME_WAIT.
func TestKnock(t *testing.T) {
	if !inOwnNetwork(t, "") {
		return
	}
	ends := make(chan error, 1)
	addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
		_, err := conn.Read(make([]byte, 1))
		ends <- err
	})
	host, port, _ := net.SplitHostPort(addr)
	k := knock{newEndpoint(host, port)}
	for range 100 {
		if answer := k.Probe(t.Context()); answer.Outcome != Ready {
			t.Fatal(answer)
		}
		if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("the server sees %v", err)
		}
	}
	if left := sockets(t, port, timeWait); left > 0 {
		t.Errorf("%d sockets in TIME_WAIT", left)
	}
}

// A knock on a program that does not accept connections is Ready until the program's queue
// is full. After that it times out.
func TestKnockOnFullQueue(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	syscall.CloseOnExec(fd)
	err = errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0))
	if err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	k := knock{newEndpoint("127.0.0.1", strconv.Itoa(name.(*syscall.SockaddrInet4).Port))}
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), brief)
		began := time.Now()
		answer := k.Probe(ctx)
		cancel()
		if took := time.Since(began); took > brief+slack || answer.Outcome != Ready && answer.Outcome != Timeout {
			t.Errorf("%v after %v", answer, took)
		}
		if answer.Outcome == Timeout {
			return
		}
	}
}

// timeWait is the state TIME_WAIT (include/net/tcp_states.h).
const timeWait = "06"

// sockets returns the number of sockets on a local port that are in one of these states.
func sockets(t testing.TB, port string, states ...string) int {
	t.Helper()
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if !strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", number)) {
				continue
			}
			for _, state := range states {
				if fields[3] == state {
					count++
				}
			}
		}
	}
	return count
}

// listenAlone listens on addr without SO_REUSEADDR, so it fails when any other socket has
// that port.
func listenAlone(addr string) error {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0)
		}), err)
	}}
	listener, err := config.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	return listener.Close()
}

// tcpOpens returns how many connections were begun in this network namespace, and how many
// of them were established.
func tcpOpens(t testing.TB) (begun, made int) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		counters := map[string]int{}
		for i, name := range names[1:] {
			counters[name], _ = strconv.Atoi(fields[i+1])
		}
		begun = counters["ActiveOpens"]
		return begun, begun - counters["AttemptFails"]
	}
	t.Fatal("/proc/net/snmp has no counters of TCP")
	return 0, 0
}

// The kernel may give the port that a knock tries to the knock itself, as its local port.
// The knock is then connected to itself, and must not occupy the port of the server that is
// about to start.
func TestKnockNeverOccupiesThePort(t *testing.T) {
	if !inOwnNetwork(t, `echo "15000 15063" >/proc/sys/net/ipv4/ip_local_port_range`) {
		return
	}
	const port = "15020"
	k := knock{newEndpoint("localhost", port)}
	ctx, end := withBackground(t.Context()) // as a wait has it, with one socket for all knocks
	defer end()
	begun, itself := 0, 0
	for begun < 2_000 || itself < 20 {
		if begun > 100_000 {
			t.Fatalf("only %d of %d knocks connected to themselves: this test shows nothing", itself, begun)
		}
		for range 10 {
			if answer := k.Probe(ctx); answer.Outcome != Refused {
				t.Fatalf("after %d knocks: %v", begun, answer)
			}
		}
		checkPortFree(t, port)
		begun, itself = tcpOpens(t)
	}
	t.Logf("%d of %d knocks connected to themselves", itself, begun)
}

// checkPortFree fails the test when a server could not listen on port now.
func checkPortFree(t testing.TB, port string) {
	t.Helper()
	for _, host := range []string{"127.0.0.1", "::1"} {
		if err := listenAlone(net.JoinHostPort(host, port)); err != nil {
			t.Fatal(err)
		}
	}
	if left := sockets(t, port, timeWait); left > 0 {
		t.Fatalf("%d sockets in TIME_WAIT", left)
	}
}

// When no other local port is left, every connection connects to itself. That counts as
// refused.
func TestSelfConnection(t *testing.T) {
	const port = "15020"
	if !inOwnNetwork(t, `echo "`+port+` `+port+`" >/proc/sys/net/ipv4/ip_local_port_range`) {
		return
	}
	target := mustParse(t, "http://localhost:"+port+"/")
	for range 20 {
		for _, prober := range []Prober{target.Prober, target.Knock[0]} {
			if answer := prober.Probe(t.Context()); answer.Outcome != Refused {
				t.Fatal(answer)
			}
			checkPortFree(t, port)
		}
	}
	if begun, itself := tcpOpens(t); itself != begun || begun < 40 {
		t.Errorf("%d of %d connections connected to themselves: this test shows nothing", itself, begun)
	}
}
