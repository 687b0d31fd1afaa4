package tests

// The stand-in for a sidecar, or for any other HTTP server that startgate waits for
// or asks to quit.

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Istio's addresses.
const (
	agentAddr  = "127.0.0.1:15020"
	healthAddr = "127.0.0.1:15021" // where startgate knocks
	proxyAddr  = "0.0.0.0:15001"   // where the redirect goes
)

// injectedStatus is the setting with the annotation of a pod that has Istio's classic sidecar.
const injectedStatus = `SIDECAR_STATUS={"containers":["istio-proxy"]}`

// sidecar refuses connections until listen is called, is not ready until getReady is
// called, and quits when it is asked to. A test may set its fields before it listens.
type sidecar struct {
	testing.TB
	addr   string
	answer reply // to GET until it is ready; nil is 503
	quit   reply // to POST; nil is quitAtOnce

	listener net.Listener
	ownPort  bool         // no other gets it while this one refuses
	readyAt  atomic.Int64 // in Unix nanoseconds; 0 is never
	asked    atomic.Int64 // how many GETs there were

	mu    sync.Mutex
	posts []time.Time
}

// reply answers a request. Afterwards the connection is closed.
type reply func(s *sidecar, conn net.Conn)

// newSidecar returns one that does not listen yet at this address, at a free port
// without one. The calling goroutine's network is the sidecar's.
func newSidecar(t testing.TB, addr string) *sidecar {
	t.Helper()
	s := &sidecar{TB: t, addr: addr}
	if addr != "" {
		s.listener = listenOn(t, addr)
	} else {
		s.listener, s.ownPort = listenAnywhere(t), true
		s.addr = s.listener.Addr().String()
	}
	s.refuse()
	return s
}

// startSidecar returns one that listens and is not ready.
func startSidecar(t testing.TB, addr string) *sidecar {
	t.Helper()
	s := newSidecar(t, addr)
	s.listen()
	return s
}

// startReady returns one that is ready.
func startReady(t testing.TB, addr string) *sidecar {
	t.Helper()
	s := startSidecar(t, addr)
	s.getReady(0)
	return s
}

// listenOn makes the kernel accept connections to addr.
func listenOn(t testing.TB, addr string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// listenAnywhere is the same at some port of 127.0.0.1: none of those that the kernel
// gives to whoever asks for any, because in between it would be another's.
func listenAnywhere(t testing.TB) (listener net.Listener) {
	t.Helper()
	eventually(t, "a free port", func() bool {
		var err error
		listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 16384+rand.IntN(16384)))
		return err == nil
	})
	t.Cleanup(func() { listener.Close() })
	return listener
}

// freeAddr is an address at which nobody listens.
func freeAddr(t testing.TB) (addr string) {
	t.Helper()
	s := newSidecar(t, "") // which refuses, whoever has inherited its socket
	s.listener.Close()
	return s.addr
}

func (s *sidecar) url() string { return "http://" + s.addr }

// settings are those by which startgate waits for it, and probes often.
func (s *sidecar) settings() []string { return []string{"WAIT_FOR=" + s.url(), "BACKOFF_MAX=10ms"} }

// listen makes it accept connections.
func (s *sidecar) listen() {
	s.Helper()
	if s.control(func(fd int) error {
		return errors.Join(shareAddr(fd, 1), syscall.Listen(fd, syscall.SOMAXCONN))
	}) != nil {
		eventually(s, s.addr+" to be free", func() (free bool) {
			listener, err := net.Listen("tcp", s.addr)
			if err == nil {
				s.listener = listener
				s.Cleanup(func() { listener.Close() })
			}
			return err == nil
		})
	}
	go s.serve(s.listener)
}

// refuse makes it refuse connections. On Linux the port stays its own; elsewhere it
// has to be given up.
func (s *sidecar) refuse() {
	if s.control(func(fd int) error {
		err := syscall.Shutdown(fd, syscall.SHUT_RD)
		if err == nil && s.ownPort {
			err = shareAddr(fd, 0)
		}
		return err
	}) != nil {
		s.listener.Close()
	}
}

// shareAddr sets SO_REUSEADDR, which net.Listen does too. With it a socket can listen while
// old connections end, but one that does not listen leaves its port to any other.
func shareAddr(fd, on int) error {
	return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, on)
}

func (s *sidecar) control(call func(fd int) error) error {
	raw, err := s.listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = call(int(fd)) })
	return errors.Join(err, failed)
}

func (s *sidecar) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			request, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil { // else somebody knocked
				s.replyTo(request)(s, conn)
			}
		}()
	}
}

func (s *sidecar) replyTo(request *http.Request) reply {
	if request.Method == http.MethodPost {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.posts = append(s.posts, time.Now())
		if s.quit != nil {
			return s.quit
		}
		return quitAtOnce
	}
	s.asked.Add(1)
	switch {
	case s.addr == agentAddr && request.URL.Path != "/healthz/ready":
		return status(http.StatusNotFound, "")
	case s.answer != nil && !s.isReady():
		return s.answer
	case request.URL.Path == "/server_info":
		return serverInfo
	}
	return readiness
}

// getReady makes it ready after this time, and returns from when on it is.
func (s *sidecar) getReady(in time.Duration) time.Time {
	at := time.Now().Add(in)
	s.readyAt.Store(at.UnixNano())
	return at
}

func (s *sidecar) isReady() bool {
	at := s.readyAt.Load()
	return at != 0 && time.Now().UnixNano() >= at
}

// untilAskedAgain waits for a request that began after the call.
func (s *sidecar) untilAskedAgain() {
	s.Helper()
	enough := s.asked.Load() + 2 // the next may have been under way
	eventually(s, "another probe", func() bool { return s.asked.Load() >= enough })
}

// quitRequests are the times at which it was asked to quit.
func (s *sidecar) quitRequests() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posts
}

// checkQuits checks how often it was asked to quit.
func (s *sidecar) checkQuits(want int) {
	s.Helper()
	if got := len(s.quitRequests()); got != want {
		s.Errorf("the sidecar was asked to quit %d times, want %d", got, want)
	}
}

// status answers with a status and a body.
func status(code int, body string) reply {
	return func(_ *sidecar, conn net.Conn) {
		fmt.Fprintf(conn, "HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", code, len(body), body)
	}
}

// readiness answers whether it is ready.
func readiness(s *sidecar, conn net.Conn) {
	if s.isReady() {
		status(http.StatusOK, "")(s, conn)
		return
	}
	status(http.StatusServiceUnavailable, "")(s, conn)
}

// serverInfo does as well, and with Envoy's words, for the wrappers that want those.
func serverInfo(s *sidecar, conn net.Conn) {
	if s.isReady() {
		status(http.StatusOK, `{"state":"LIVE"}`)(s, conn)
		return
	}
	status(http.StatusServiceUnavailable, `{"state":"INITIALIZING"}`)(s, conn)
}

// statuses answers with one after the other, and with the last one for ever.
func statuses(codes ...int) reply {
	var asked atomic.Int64
	return func(s *sidecar, conn net.Conn) {
		turn := min(int(asked.Add(1)), len(codes))
		status(codes[turn-1], "")(s, conn)
	}
}

// readyFrom is ready from the n-th request on.
func readyFrom(n int) reply {
	codes := make([]int, n)
	for i := range codes {
		codes[i] = http.StatusServiceUnavailable
	}
	codes[n-1] = http.StatusOK
	return statuses(codes...)
}

// quitAtOnce accepts, and refuses connections from then on.
func quitAtOnce(s *sidecar, conn net.Conn) {
	s.refuse()
	status(http.StatusOK, "")(s, conn)
}

// hang does not answer until the other side gives up.
func hang(_ *sidecar, conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }

// hangUp closes the connection.
func hangUp(*sidecar, net.Conn) {}

// reset resets the connection.
func reset(_ *sidecar, conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

// One that refused once shared its port with the next that took it: whoever waited for the
// one asked the other.
func TestSidecarKeepsItsPort(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux keeps the port of a socket that does not listen")
	}
	s := newSidecar(t, "")
	for _, when := range []string{"before it listens", "when it refuses again"} {
		if other, err := net.Listen("tcp", s.addr); err == nil {
			t.Errorf("%s, another listens on %s", when, other.Addr())
			other.Close()
		}
		s.listen()
		s.refuse()
	}
}
