package wait

import (
	"context"
	"net/netip"
	"net/url"
)

// dnsProbe is the prober for dns://: ready when the system's resolver gives at least one
// address for the host.
type dnsProbe struct {
	host string
	name string // the URL as it may be shown
}

func newDNS(u *url.URL, e *endpoint, _ options) Prober { return dnsProbe{e.host, locator(u)} }

// Probe implements [Prober].
func (p dnsProbe) Probe(ctx context.Context) Answer {
	ctx, end := withBackground(ctx)
	defer end()
	answer := resolved(lookupIn(ctx, p.host).addrs(ctx))
	if answer.Outcome == Ready && ctx.Err() != nil {
		answer = answerFromError(ctx.Err())
	}
	answer.Detail = "look up " + p.name + ": " + answer.Detail
	return answer
}

func resolved(addrs []netip.Addr, err error) Answer {
	if err != nil {
		return answerFromError(err)
	}
	return Answer{Ready, "it has the address " + addrs[0].Unmap().String(), nil}
}
