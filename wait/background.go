package wait

import (
	"context"
	"sync"
)

// background is where the work goes on that may take longer than one probe: the lookups
// of one call of [For]. It ends with that call.
type background struct {
	ctx     context.Context
	running sync.WaitGroup
	lookups map[string]*lookup // by host
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
	b := &background{ctx: ctx, lookups: map[string]*lookup{}}
	return context.WithValue(ctx, backgroundKey{}, b), func() {
		cancel()
		b.running.Wait()
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
