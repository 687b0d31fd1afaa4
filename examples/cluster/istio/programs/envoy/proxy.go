package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/sys/unix"
)

// inboundFrom is the address from which Istio's proxy connects to the application, which
// the redirect leaves alone.
var inboundFrom = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 6)}

// serve listens, and starts the workers after the delay. It does not return.
func serve(agent string, s *state, delay time.Duration) error {
	ports := map[int]net.Listener{15001: nil, 15006: nil, 15021: nil, 15090: nil}
	for port := range ports {
		listener, err := net.Listen("tcp4", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		ports[port] = listener
	}
	log.Print("listens")
	time.Sleep(delay)
	go func() { log.Fatal(http.Serve(ports[15021], healthHandler(agent))) }()
	go accept(ports[15001], func(conn *net.TCPConn) { s.forward(conn, nil) })
	go accept(ports[15006], func(conn *net.TCPConn) { s.forward(conn, inboundFrom) })
	go accept(ports[15090], func(conn *net.TCPConn) { conn.Close() })
	s.server.Store(live)
	s.workers.Store(1)
	log.Print("workers started")
	select {}
}

// healthHandler forwards the kubelet's probe to the agent.
func healthHandler(agent string) http.Handler {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: agent})
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /healthz/ready", proxy)
	return mux
}

func accept(listener net.Listener, handle func(*net.TCPConn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go handle(conn.(*net.TCPConn))
	}
}

// forward connects a redirected connection with where it was going. If nobody is there,
// it is closed without an answer, as by Envoy's TCP proxy.
func (s *state) forward(downstream *net.TCPConn, from net.Addr) {
	s.active.Add(1)
	defer s.active.Add(-1)
	defer downstream.Close()
	to, err := originalDestination(downstream)
	if err != nil {
		log.Print(err)
		return
	}
	dialer := net.Dialer{Timeout: 10 * time.Second, LocalAddr: from} // Envoy's connect_timeout
	upstream, err := dialer.Dial("tcp4", to.String())
	if err != nil {
		log.Print(err)
		return
	}
	defer upstream.Close()
	done := make(chan struct{})
	go func() {
		carry(downstream, upstream.(*net.TCPConn))
		close(done)
	}()
	carry(upstream.(*net.TCPConn), downstream)
	<-done
}

func carry(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
}

// originalDestination returns where the connection was going before the redirect.
func originalDestination(conn *net.TCPConn) (to netip.AddrPort, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return to, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		// The option is a sockaddr_in. Of the calls of x/sys, this one returns enough bytes.
		var option *unix.IPv6Mreq
		if option, err = unix.GetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IP, unix.SO_ORIGINAL_DST); err != nil {
			return
		}
		address := option.Multiaddr
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[4:8])), uint16(address[2])<<8|uint16(address[3]))
	})
	if controlErr != nil {
		return to, controlErr
	}
	if err != nil {
		return to, fmt.Errorf("cannot read the original destination: %w", err)
	}
	return to, nil
}
