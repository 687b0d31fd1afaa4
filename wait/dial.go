package wait

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// endpoint holds the addresses of a target. It refuses when all of them refuse.
type endpoint struct {
	network string        // tcp or unix
	addrs   []string      // as net.Dial takes them
	first   atomic.Uint32 // modulo len(addrs): the address to try first
}

// newEndpoint returns the endpoint of a host and port. The name localhost always means
// 127.0.0.1 and ::1 (RFC 6761, section 6.3). No resolver is asked, because an image built
// from scratch has no /etc/hosts.
func newEndpoint(host, port string) *endpoint {
	if isLocalhost(host) {
		return &endpoint{network: "tcp", addrs: []string{
			net.JoinHostPort("127.0.0.1", port), net.JoinHostPort(loopback6, port),
		}}
	}
	return &endpoint{network: "tcp", addrs: []string{net.JoinHostPort(host, port)}}
}

const loopback6 = "::1"

func isLocalhost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// isLoopback reports whether host is localhost or a loopback address. It resolves nothing.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return isLocalhost(host) || ip != nil && ip.IsLoopback()
}

// isLocal reports whether e is on this machine, where a refused connection costs almost
// nothing.
func (e *endpoint) isLocal() bool {
	if e.network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(e.addrs[0])
	return err == nil && isLoopback(host)
}

// connect connects to the first address of e that does not refuse and returns the answer
// of use.
//
// If 127.0.0.1 and ::1 belong to different programs, connect alternates between them, so
// that one that is never ready does not hide the other. A program on both addresses gets
// one request per probe.
func (e *endpoint) connect(ctx context.Context, use func(net.Conn) Answer) Answer {
	first := int(e.first.Load())
	var answer Answer
	for i := range e.addrs {
		answer = connectTo(ctx, e.network, e.addrs[(first+i)%len(e.addrs)], use)
		if answer.Outcome != Refused {
			break
		}
	}
	if answer.Outcome != Refused && answer.Outcome != Ready {
		e.first.Add(1)
	}
	return answer
}

// connectTo connects to one address and returns the answer of use. When ctx ends, so do
// reading and writing on the connection.
func connectTo(ctx context.Context, network, addr string, use func(net.Conn) Answer) Answer {
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return answerFromError(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return use(conn)
}

// dial connects to one address. When nothing can listen there, because there is no IPv6
// for ::1 or no socket in the file system, the error wraps ECONNREFUSED.
//
// On loopback, a connection to a port in the range of local ports may connect to itself
// (TCP's simultaneous open, RFC 9293 section 3.5) and would then occupy the port of the
// server that is about to start. The connection is made with SO_LINGER 0, so closing such
// a connection frees the port at once.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: false},
		KeepAlive:       -1,
		Control:         func(_, _ string, raw syscall.RawConn) error { return raw.Control(resetOnClose) },
	}
	conn, err := dialer.DialContext(ctx, network, addr)
	switch {
	case err != nil && cannotListen(network, addr, err):
		return nil, errors.Join(syscall.ECONNREFUSED, err)
	case err != nil:
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if conn.LocalAddr().String() == conn.RemoteAddr().String() {
			conn.Close()
			return nil, syscall.ECONNREFUSED
		}
		_ = tcp.SetLinger(-1)
	}
	return conn, nil
}

// cannotListen reports whether err, from dialing addr, means that nothing can listen there.
func cannotListen(network, addr string, err error) bool {
	if network == "unix" {
		return errors.Is(err, fs.ErrNotExist)
	}
	host, _, _ := net.SplitHostPort(addr)
	return host == loopback6 &&
		(errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.ENETUNREACH))
}
