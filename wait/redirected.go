package wait

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// nobody are addresses that belong to nobody (RFC 5737), on a port that is
// seldom taken out of a redirect.
var nobody = [...]string{"198.51.100.1:9", "203.0.113.1:9"}

// atOnce is how soon a refusal must come to be this machine's own.
const atOnce = 500 * time.Millisecond

// Redirected tells whether outbound connections are redirected to a proxy of
// this pod that is not listening: whether connections to two addresses that
// nobody has are both refused at once. It takes half a second at most, and needs
// no privilege. A redirect that leaves these addresses out (Istio's
// includeOutboundIPRanges) escapes it, and so does a proxy that is listening.
func Redirected(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	refused := make(chan bool, len(nobody))
	for _, addr := range nobody {
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
	for range nobody {
		all = <-refused && all
	}
	return all
}
