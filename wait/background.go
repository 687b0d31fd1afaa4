package wait

import (
	"context"
	"net/netip"
	"sync"
)

// background has what one call of [For] keeps from one probe to the next: lookups, which go
// on, and sockets to knock with. It ends with that call.
type background struct {
	ctx     context.Context
	running sync.WaitGroup
	lookups map[string]*lookup // by host
	sockets map[netip.AddrPort]*knockSocket
}

type backgroundKey struct{}

// withBackground returns a context whose probes have a background in common, and a
// function that ends it. That function returns when nothing runs in it any more. A context
// that has a background keeps it.
func withBackground(parent context.Context) (ctx context.Context, end func()) {
	if parent.Value(backgroundKey{}) != nil {
		return parent, func() {}
	}
	ctx, cancel := context.WithCancel(parent)
	b := &background{ctx: ctx, lookups: map[string]*lookup{}, sockets: map[netip.AddrPort]*knockSocket{}}
	return context.WithValue(ctx, backgroundKey{}, b), func() {
		cancel()
		b.running.Wait()
		for _, socket := range b.sockets {
			socket.close()
		}
	}
}

// lookupIn returns the lookup of a host in the background of ctx. The probes that use it
// must not run at the same time.
func lookupIn(ctx context.Context, host string) *lookup {
	b := ctx.Value(backgroundKey{}).(*background)
	l := b.lookups[host]
	if l == nil {
		l = &lookup{host: host, background: b}
		b.lookups[host] = l
	}
	return l
}

// knockSocketIn returns the socket for this address in the background of ctx, or nil if
// there can be none. The probes that use it must not run at the same time.
func knockSocketIn(ctx context.Context, to netip.AddrPort) *knockSocket {
	b := ctx.Value(backgroundKey{}).(*background)
	if b.sockets[to] == nil {
		socket := newKnockSocket(to)
		if socket == nil {
			return nil
		}
		b.sockets[to] = socket
	}
	return b.sockets[to]
}
