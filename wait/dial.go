package wait

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// endpoint is where a target listens: a host and port, or the path of a Unix socket. It
// refuses when all of its addresses refuse.
type endpoint struct {
	path  *fileStat        // of a Unix socket; with an @ first, of an abstract one; nil: none
	host  string           // to be resolved; empty: fixed has the addresses
	fixed []netip.AddrPort // known without a resolver
	port  uint16
	first atomic.Uint32 // modulo the number of addresses: the address to try first
}

// newEndpoint returns the endpoint of a host and port. The name localhost always means
// 127.0.0.1 and ::1 (RFC 6761, section 6.3). No resolver is asked, because an image built
// from scratch has no /etc/hosts.
func newEndpoint(host, port string) *endpoint {
	number, _ := strconv.ParseUint(port, 10, 16)
	e := &endpoint{port: uint16(number)}
	addr, err := netip.ParseAddr(host)
	switch {
	case isLocalhost(host):
		e.fixed = e.withPort([]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()})
	case err == nil:
		e.fixed = e.withPort([]netip.Addr{addr})
	default:
		e.host = host
	}
	return e
}

func (e *endpoint) withPort(addrs []netip.Addr) []netip.AddrPort {
	list := make([]netip.AddrPort, len(addrs))
	for i, addr := range addrs {
		list[i] = netip.AddrPortFrom(addr.Unmap(), e.port)
	}
	return list
}

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
	return e.path != nil || len(e.fixed) > 0 && e.fixed[0].Addr().IsLoopback()
}

// connect connects to the first address of e that accepts and returns the answer of use.
// When ctx ends, so do reading and writing on the connection.
//
// If a server that accepts is not ready, the next connect begins with another address: if
// 127.0.0.1 and ::1 belong to different programs, one that is never ready does not hide the
// other. A program on both addresses gets one request per probe.
func (e *endpoint) connect(ctx context.Context, use func(net.Conn) Answer) Answer {
	conn, err := e.dial(ctx)
	if err != nil {
		return answerFromError(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	answer := use(conn)
	if answer.Outcome != Ready {
		e.first.Add(1)
	}
	return answer
}

// dial connects to the first address of e that accepts. When none does, the error is
// ECONNREFUSED only if all refuse.
func (e *endpoint) dial(ctx context.Context) (net.Conn, error) {
	if e.path != nil {
		return e.dialUnix(ctx)
	}
	addrs := e.fixed
	if e.host != "" {
		ctx, end := withBackground(ctx)
		defer end()
		found, err := lookupIn(ctx, e.host).addrs(ctx)
		if err != nil {
			return nil, err
		}
		addrs = e.withPort(found)
	}
	first := int(e.first.Load() % uint32(len(addrs)))
	return dialFirst(ctx, append(addrs[first:len(addrs):len(addrs)], addrs[:first]...))
}

// stagger is the longest pause between two attempts to connect, when there are several
// addresses (RFC 8305, section 5).
const stagger = 250 * time.Millisecond

// dialFirst connects to several addresses, one after the other and beside each other, and
// returns the first connection. An address that fails lets the next one begin at once.
func dialFirst(ctx context.Context, addrs []netip.AddrPort) (net.Conn, error) {
	if len(addrs) == 1 {
		return dialTCP(ctx, addrs[0])
	}
	type result struct {
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pause := stagger
	if end, ok := ctx.Deadline(); ok {
		pause = min(pause, time.Until(end)/time.Duration(len(addrs)))
	}
	next := time.NewTimer(0)
	defer next.Stop()
	results := make(chan result)
	var (
		first result
		open  int // attempts that have not ended
	)
	for len(addrs) > 0 || open > 0 {
		select {
		case <-next.C:
			if len(addrs) == 0 {
				break
			}
			addr := addrs[0]
			addrs = addrs[1:]
			open++
			go func() {
				conn, err := dialTCP(ctx, addr)
				results <- result{conn, err}
			}()
			if len(addrs) > 0 {
				next.Reset(pause)
			}
		case r := <-results:
			open--
			switch {
			case r.err == nil && first.conn == nil:
				first = r
				addrs = nil
				next.Stop()
				cancel()
			case r.err == nil:
				r.conn.Close() // it was as fast, or nearly
			case first.conn == nil && (first.err == nil || errors.Is(first.err, syscall.ECONNREFUSED)):
				first.err = r.err
			}
			if len(addrs) > 0 {
				next.Reset(0)
			}
		}
	}
	if first.conn != nil {
		return first.conn, nil
	}
	return nil, first.err
}

// dialer makes connections that are reset when they are closed, until that is taken back.
//
// On loopback, a connection to a port in the range of local ports may connect to itself
// (TCP's simultaneous open, RFC 9293 section 3.5) and would then occupy the port of the
// server that is about to start. Closing such a connection by a reset frees the port at
// once.
var dialer = net.Dialer{
	KeepAliveConfig: net.KeepAliveConfig{Enable: false},
	KeepAlive:       -1,
	Control:         func(_, _ string, raw syscall.RawConn) error { return raw.Control(resetOnClose) },
}

// dialTCP connects to one address. When nothing can listen there, because there is no IPv6
// for ::1, the error wraps ECONNREFUSED.
func dialTCP(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	conn, err := dialer.DialContext(ctx, "tcp", addr.String())
	switch {
	case err != nil && cannotListen(addr, err):
		return nil, errors.Join(syscall.ECONNREFUSED, err)
	case err != nil:
		return nil, err
	case conn.LocalAddr().String() == conn.RemoteAddr().String():
		conn.Close()
		return nil, syscall.ECONNREFUSED
	}
	_ = conn.(*net.TCPConn).SetLinger(-1)
	return conn, nil
}

// cannotListen reports whether err, from dialing addr, means that nothing can listen there.
func cannotListen(addr netip.AddrPort, err error) bool {
	return addr.Addr() == netip.IPv6Loopback() &&
		(errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.ENETUNREACH))
}

// dialUnix connects to a Unix socket, of streams or of datagrams. When it does not exist,
// the error wraps ECONNREFUSED.
func (e *endpoint) dialUnix(ctx context.Context) (conn net.Conn, err error) {
	if isAbstract := strings.HasPrefix(e.path.path, "@"); !isAbstract {
		if _, err := e.path.look(ctx); err != nil { // connect(2) has no time limit where the file system does not answer
			if errors.Is(err, fs.ErrNotExist) {
				err = errors.Join(syscall.ECONNREFUSED, err)
			}
			return nil, err
		}
	}
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		conn, err = dialer.DialContext(ctx, network, e.path.path)
		if !errors.Is(err, syscall.EPROTOTYPE) {
			break
		}
	}
	return conn, err
}

func (e *endpoint) isHeld() bool { return e.path != nil && e.path.isHeld() }
