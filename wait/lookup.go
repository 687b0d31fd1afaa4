package wait

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// lookup resolves one host, for the probes of one wait. A question that a probe has no time
// to wait for goes on, and a later probe takes the answer: with a dead name server before a
// good one in resolv.conf(5), an answer takes 5s and more.
type lookup struct {
	host       string
	background *background
	open       [len(families)]*question // asked, and its answer not taken yet; nil: none
}

// families are the address families, in the order in which their addresses are tried
// (RFC 8305, section 4).
var families = [...]string{"ip6", "ip4"}

// question asks for the addresses of one family.
type question struct {
	done  chan struct{} // closed when there is an answer
	addrs []netip.Addr
	err   error
}

// resolutionDelay is how long the addresses of one family wait for those of the other
// (RFC 8305, section 3). A name server that drops one of the two questions costs no more.
const resolutionDelay = 50 * time.Millisecond

// addrs returns the addresses of the host, of the two families in turn. It asks anew,
// except for what an earlier question is still open.
func (l *lookup) addrs(ctx context.Context) ([]netip.Addr, error) {
	for i, family := range families {
		if l.open[i] == nil {
			l.open[i] = l.ask(family)
		}
	}
	first, second := l.open[0], l.open[1]
	select {
	case <-first.done:
	case <-second.done:
		first, second = second, first
	case <-ctx.Done():
	}
	patience := ctx
	if first.isDone() && len(first.addrs) > 0 {
		var cancel func()
		patience, cancel = context.WithTimeout(ctx, resolutionDelay)
		defer cancel()
	}
	select {
	case <-second.done:
	case <-patience.Done():
	}
	return l.take()
}

func (l *lookup) ask(family string) *question {
	q := &question{done: make(chan struct{})}
	l.background.running.Go(func() {
		defer close(q.done)
		q.addrs, q.err = net.DefaultResolver.LookupNetIP(l.background.ctx, family, l.host)
	})
	return q
}

func (q *question) isDone() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// take takes the answers that there are.
func (l *lookup) take() ([]netip.Addr, error) {
	var (
		found [len(families)][]netip.Addr
		cause error
		later bool
	)
	for i, q := range l.open {
		if !q.isDone() {
			later = true
			continue
		}
		l.open[i] = nil
		found[i] = q.addrs
		var dns *net.DNSError
		if cause == nil || errors.As(q.err, &dns) && !dns.IsNotFound { // the other family may have no addresses at all
			cause = q.err
		}
	}
	addrs := alternate(found[0], found[1])
	switch {
	case len(addrs) > 0:
		return addrs, nil
	case later:
		return nil, &net.DNSError{Err: "no answer in time", Name: l.host, IsTimeout: true}
	}
	return nil, cause
}

// alternate returns the elements of a and b in turn.
func alternate(a, b []netip.Addr) []netip.Addr {
	var both []netip.Addr
	for i := range max(len(a), len(b)) {
		both = append(both, a[min(i, len(a)):min(i+1, len(a))]...)
		both = append(both, b[min(i, len(b)):min(i+1, len(b))]...)
	}
	return both
}
