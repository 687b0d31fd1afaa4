package wait

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

// counted is server, and counts its connections.
func counted(count *atomic.Int32, server func(net.Conn)) func(net.Conn) {
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
	if os.Getenv("NOSKIP") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// localhost is two addresses. It is ready when any of them is, whatever a program
// on the other says, and asked only once a probe when both answer.
func TestLocalhost(t *testing.T) {
	needIPv6(t)
	up, down := says(statusOK+"\r\n"), says(unavailable+"\r\n")
	for _, test := range []struct {
		name       string
		ip4, ip6   func(net.Conn) // nil: nothing listens
		want       Outcome        // of the second probe at the latest
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
				serve(t, "127.0.0.1:"+port, counted(&ask4, test.ip4))
			}
			if test.ip6 != nil {
				serve(t, "[::1]:"+port, counted(&ask6, test.ip6))
			}
			target := mustParse(t, "http://localhost:"+port+"/")
			answer := probe(t, target)
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

// Two programs, of which one is never ready, do not take turns for ever: when the
// other gets ready, the next but one probe knows.
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

// A pod may have no IPv6, which is as if nobody listened there.
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
			t.Errorf("somebody listens: %v", answer)
		}
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	if answer := probe(t, target); answer.Outcome != Refused || answer.Detail != "connect unix://"+path+": connection refused" {
		t.Errorf("nobody listens any more: %v", answer)
	}
}

// A knock is over at once for both sides: the server sees a reset, and no socket
// of either stays behind.
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

// A knock on a program that does not accept says that somebody listens, until its
// queue is full; then it takes as long as it may.
func TestKnockNotAccepted(t *testing.T) {
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
		ctx, cancel := context.WithTimeout(t.Context(), attempt)
		began := time.Now()
		answer := k.Probe(ctx)
		cancel()
		if took := time.Since(began); took > attempt+slack || answer.Outcome != Ready && answer.Outcome != Timeout {
			t.Errorf("%v after %v", answer, took)
		}
		if answer.Outcome == Timeout {
			return
		}
	}
}

// timeWait is the state of a socket that stays behind (include/net/tcp_states.h).
const timeWait = "06"

// sockets counts the sockets of a local port that are in one of these states.
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

// listenAlone listens on addr as a server does that does not set SO_REUSEADDR,
// and that any other socket of that port keeps from it.
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

// opened returns how many connections were begun in this network namespace, and
// how many of them came about.
func opened(t testing.TB) (begun, made int) {
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

// A port that is waited for may be one of those that the kernel gives to outgoing
// connections. A knock that gets it is connected to itself, and must not keep the
// port from the server that is about to start.
func TestKnockNeverKeepsThePort(t *testing.T) {
	if !inOwnNetwork(t, `echo "1024 65535" >/proc/sys/net/ipv4/ip_local_port_range`) {
		return
	}
	const (
		port  = "15020" // even, as the start of the range: those the kernel gives first
		least = 100_000
	)
	k := knock{newEndpoint("localhost", port)}
	knocks, itself := 0, 0
	for knocks < least || itself == 0 {
		if knocks >= 20*least {
			t.Fatal("the kernel never connected a knock to itself: this test shows nothing")
		}
		for range 100 {
			if answer := k.Probe(t.Context()); answer.Outcome != Refused {
				t.Fatalf("knock %d: %v", knocks, answer)
			}
			knocks++
		}
		checkFree(t, port)
		_, itself = opened(t)
	}
	t.Logf("%d of %d knocks met themselves", itself, knocks)
}

// checkFree fails when a server could not listen on port now.
func checkFree(t testing.TB, port string) {
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

// With no other port left, every connection meets itself, as often as it is
// tried: nobody listens there.
func TestSelfConnection(t *testing.T) {
	const port = "15020"
	if !inOwnNetwork(t, `echo "`+port+` `+port+`" >/proc/sys/net/ipv4/ip_local_port_range`) {
		return
	}
	target := mustParse(t, "http://localhost:"+port+"/")
	for range 100 {
		for _, prober := range []Prober{target.Prober, target.Knock[0]} {
			if answer := prober.Probe(t.Context()); answer.Outcome != Refused {
				t.Fatal(answer)
			}
			checkFree(t, port)
		}
	}
	if begun, itself := opened(t); itself != begun || begun < 200 {
		t.Errorf("%d of %d connections met themselves: this test shows nothing", itself, begun)
	}
}
