package wait

// This file covers how a redirect to a missing proxy is recognized, with real iptables
// rules.

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// outbound gives a network namespace a route that leads nowhere: packets leave, and nothing
// comes back.
const outbound = `
ip link add out0 type veth peer name out1
ip link set out1 up
ip link set out0 up arp off
ip address add 10.255.255.1/24 dev out0
ip route add default dev out0
`

// istioInit prepares a redirect as istio-init does (istio/istio, tools/istio-iptables): all
// outbound TCP goes to port 15001, except from the proxy itself (uid 1337) and to loopback.
const istioInit = `
iptables -t nat -N ISTIO_REDIRECT
iptables -t nat -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
iptables -t nat -N ISTIO_OUTPUT
iptables -t nat -A OUTPUT -p tcp -j ISTIO_OUTPUT
iptables -t nat -A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
iptables -t nat -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
`

const (
	redirectAll   = "iptables -t nat -A ISTIO_OUTPUT -j ISTIO_REDIRECT\n"
	redirectRange = "iptables -t nat -A ISTIO_OUTPUT -d 10.0.0.0/8 -j ISTIO_REDIRECT\n" // includeOutboundIPRanges
)

// Redirected is true when outbound traffic is redirected to a proxy that does not listen,
// and in no other case.
func TestRedirected(t *testing.T) {
	for _, test := range []struct {
		name, setup string
		proxy       bool // whether the proxy listens
		want        bool
	}{
		{"redirected without proxy", outbound + istioInit + redirectAll, false, true},
		{"redirected with proxy", outbound + istioInit + redirectAll, true, false},
		{"not redirected", outbound, false, false},
		{"not redirected with proxy", outbound, true, false},
		{"other ranges redirected", outbound + istioInit + redirectRange, false, false},
		{"one address refused", outbound + "iptables -A OUTPUT -p tcp -d 198.51.100.1 -j REJECT --reject-with tcp-reset", false, false},
		{"the other address refused", outbound + "iptables -A OUTPUT -p tcp -d 203.0.113.1 -j REJECT --reject-with tcp-reset", false, false},
		{"no route", "", false, false},
		{"prohibited", "ip route add prohibit default", false, false},
		{"exempt as the proxy itself", outbound + strings.ReplaceAll(istioInit, "1337", "0") + redirectAll, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if !inOwnNetwork(t, test.setup, "iptables") {
				return
			}
			if test.proxy {
				serve(t, ":15001", hang)
			}
			if test.want {
				eventually(t, "redirected", func() bool { return Redirected(t.Context()) })
				return
			}
			began := time.Now()
			got := Redirected(t.Context())
			if took := time.Since(began); got || took > atOnce+slack {
				t.Errorf("%v after %v, want false", got, took)
			}
		})
	}
}

// The redirect does not apply to loopback, so a sidecar can still be probed.
func TestRedirectedExceptLoopback(t *testing.T) {
	if !inOwnNetwork(t, outbound+istioInit+redirectAll, "iptables") {
		return
	}
	addr := serve(t, "127.0.0.1:0", says(statusOK+"\r\n"))
	if answer := probe(t, mustParse(t, "http://"+addr+"/")); answer.Outcome != Ready {
		t.Errorf("%v", answer)
	}
	eventually(t, "redirected", func() bool { return Redirected(t.Context()) })
}

// Redirected is false as soon as the proxy listens.
func TestRedirectedUntilTheProxyListens(t *testing.T) {
	if !inOwnNetwork(t, outbound+istioInit+redirectAll, "iptables") {
		return
	}
	for range 3 {
		listener, err := net.Listen("tcp", "0.0.0.0:15001")
		if err != nil {
			t.Fatal(err)
		}
		if Redirected(t.Context()) {
			t.Error("redirected, although the proxy listens")
		}
		listener.Close()
		eventually(t, "redirected", func() bool { return Redirected(t.Context()) })
	}
}

// Redirected does not wait when its context has ended.
func TestRedirectedCancelled(t *testing.T) {
	if !inOwnNetwork(t, outbound) {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	eventually(t, "Redirected returns at once", func() bool {
		began := time.Now()
		if Redirected(ctx) {
			t.Error("redirected")
		}
		return time.Since(began) < atOnce/2
	})
}
