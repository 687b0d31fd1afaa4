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

// endpoint is where a target listens. It is ready when any of its addresses is,
// and refused when all refuse.
type endpoint struct {
	network string   // tcp or unix
	addrs   []string // as net.Dial takes them
	turn    atomic.Uint32
}

// newEndpoint returns the endpoint of a host and port. The name localhost stands
// for 127.0.0.1 and ::1 without asking a resolver, because an image from scratch
// has no /etc/hosts (RFC 6761, section 6.3).
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

// isLoopback tells whether host is this machine by its text alone.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return isLocalhost(host) || ip != nil && ip.IsLoopback()
}

// isLocal tells whether e is on this machine, where a connection that is refused
// costs nobody anything.
func (e *endpoint) isLocal() bool {
	if e.network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(e.addrs[0])
	return err == nil && isLoopback(host)
}

// converse connects to e and lets talk say what the connection is worth. When an
// address refuses, the next is tried at once; when one answers and is not ready,
// the next call begins with the other, so that one program that is never ready
// cannot hide another, and a program on both is asked only once a call.
func (e *endpoint) converse(ctx context.Context, talk func(net.Conn) Answer) Answer {
	turn := int(e.turn.Load())
	var answer Answer
	for i := range e.addrs {
		answer = call(ctx, e.network, e.addrs[(turn+i)%len(e.addrs)], talk)
		if answer.Outcome != Refused {
			if answer.Outcome != Ready {
				e.turn.Add(1)
			}
			break
		}
	}
	return answer
}

// call connects to one address. talk finds the end of ctx as the connection's
// deadline.
func call(ctx context.Context, network, addr string, talk func(net.Conn) Answer) Answer {
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return failure(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return talk(conn)
}

// dial connects to one address. An error that means that nobody can listen there
// wraps ECONNREFUSED: no IPv6 for ::1, no socket in the file system.
//
// On loopback, a connection to a port from the range of local ports may meet
// itself (TCP's simultaneous open, RFC 9293 section 3.5), and would then keep
// that port from the server it waits for. The connection is made with
// SO_LINGER 0, so that such a one is gone without a trace when it is closed.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: false},
		KeepAlive:       -1,
		Control:         func(_, _ string, raw syscall.RawConn) error { return raw.Control(lingerNot) },
	}
	conn, err := dialer.DialContext(ctx, network, addr)
	switch {
	case err != nil && isAbsent(network, addr, err):
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

func isAbsent(network, addr string, err error) bool {
	if network == "unix" {
		return errors.Is(err, fs.ErrNotExist)
	}
	host, _, _ := net.SplitHostPort(addr)
	return host == loopback6 &&
		(errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.ENETUNREACH))
}
