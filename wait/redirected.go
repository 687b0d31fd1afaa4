package wait

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unassigned are addresses that no machine has (RFC 5737, RFC 3849), two of each family, on
// a port that is seldom excluded from a redirect.
var unassigned = [...][2]string{
	{"198.51.100.1:9", "203.0.113.1:9"},
	{"[2001:db8::1]:9", "[2001:db8:ffff::1]:9"},
}

// atOnce limits how long Redirected takes. A refusal by this machine itself is there when
// connect(2) returns.
const atOnce = 50 * time.Millisecond

// Redirected reports whether outbound connections are redirected to a proxy in this pod
// that does not listen yet.
//
// It connects to two unassigned addresses of each family: if both of one family refuse, the
// refusals come from this machine. They cannot come from a firewall behind it, because the
// packets may not travel farther than to the first router (IP_TTL, IPV6_UNICAST_HOPS). It is
// a guess all the same: the firewall of this machine may refuse, and so may a node that
// redirects or rejects connections before it routes them.
//
// It takes at most 50ms and needs no privileges. It returns false when the proxy listens,
// when the redirect excludes these addresses (Istio's includeOutboundIPRanges), and when ctx
// ends first.
func Redirected(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	families := make(chan bool, len(unassigned))
	for _, pair := range unassigned {
		go func() { families <- bothRefused(ctx, pair) }()
	}
	redirected := false
	for range unassigned {
		redirected = <-families || redirected
	}
	return redirected
}

func bothRefused(ctx context.Context, addrs [2]string) bool {
	refused := make(chan bool, len(addrs))
	for _, addr := range addrs {
		go func() {
			dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error { return raw.Control(toFirstRouter) }}
			conn, err := dialer.DialContext(ctx, "tcp", addr)
			if err == nil {
				conn.Close()
			}
			refused <- errors.Is(err, syscall.ECONNREFUSED)
		}()
	}
	both := true
	for range addrs {
		both = <-refused && both
	}
	return both
}

// toFirstRouter lets the packets of a socket travel to the first router and no farther. Of
// the two options, the one for the other family fails.
func toFirstRouter(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, 1)
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 1)
}
