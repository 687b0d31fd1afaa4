package wait

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// unassignedAddrs are addresses that no machine has (RFC 5737), on a port that is seldom
// excluded from a redirect.
var unassignedAddrs = [...]string{"198.51.100.1:9", "203.0.113.1:9"}

// atOnce limits how long a refusal by this machine itself may take.
const atOnce = 500 * time.Millisecond

// Redirected reports whether outbound connections are redirected to a proxy in this pod
// that does not listen yet.
//
// It connects to two unassigned addresses: if both refuse immediately, the refusals come
// from this machine. It takes at most half a second and needs no privileges. It returns
// false when the proxy listens, when the redirect excludes these addresses (Istio's
// includeOutboundIPRanges), and when ctx ends first.
func Redirected(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	refused := make(chan bool, len(unassignedAddrs))
	for _, addr := range unassignedAddrs {
		go func() {
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "tcp", addr)
			if err == nil {
				conn.Close()
			}
			refused <- errors.Is(err, syscall.ECONNREFUSED)
		}()
	}
	all := true
	for range unassignedAddrs {
		all = <-refused && all
	}
	return all
}
