package wait

import (
	"context"
	"net"
	"net/url"
)

// newTCP returns the prober for tcp:// and unix://: ready when a connection is accepted.
func newTCP(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "connect", func(context.Context, net.Conn) Answer {
		return accepted
	})
}
