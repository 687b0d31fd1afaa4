//go:build linux

package tests

import (
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// standIn is the sidecar of the benchmarks. It refuses connections until it listens,
// and answers 503 to everything until it is ready.
type standIn struct {
	host, port string
	file       *os.File // its socket
	server     *http.Server
	ready      atomic.Bool
	requests   atomic.Int64
}

// newStandIn returns a sidecar that does not listen yet; its port, any for 0, is its
// own already.
func newStandIn(port int) (*standIn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &standIn{file: os.NewFile(uintptr(fd), "sidecar")}
	s.server = &http.Server{Handler: s}
	at := unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(fd, &at); err != nil {
		s.stop()
		return nil, os.NewSyscallError("bind", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		s.stop()
		return nil, os.NewSyscallError("getsockname", err)
	}
	s.host, s.port = "127.0.0.1", strconv.Itoa(bound.(*unix.SockaddrInet4).Port)
	return s, nil
}

func (s *standIn) url() string { return "http://" + net.JoinHostPort(s.host, s.port) + "/ready" }

// ServeHTTP answers as Envoy's /server_info does, for those that want that.
func (s *standIn) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.requests.Add(1)
	state := "LIVE"
	if !s.ready.Load() {
		state = "INITIALIZING"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, `{"state":"`+state+`"}`)
}

func (s *standIn) listen() error {
	if err := unix.Listen(int(s.file.Fd()), unix.SOMAXCONN); err != nil {
		return os.NewSyscallError("listen", err)
	}
	listener, err := net.FileListener(s.file)
	if err != nil {
		return err
	}
	go s.server.Serve(listener)
	return nil
}

// getsReady makes the sidecar ready, and returns from when on it could be seen.
func (s *standIn) getsReady(listens bool) (time.Time, error) {
	at := time.Now()
	s.ready.Store(true)
	if listens {
		return at, nil
	}
	return at, s.listen()
}

func (s *standIn) stop() {
	s.server.Close()
	s.file.Close()
}
