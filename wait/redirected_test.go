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

// outbound6 is outbound for IPv6.
const outbound6 = `
ip link add six0 type veth peer name six1
ip link set six1 up
sysctl -q -w net.ipv6.conf.six0.accept_dad=0
ip link set six0 up
ip -6 address add fd00:1::1/64 dev six0 nodad
ip -6 neighbour add fd00:1::2 lladdr 02:00:00:00:00:01 dev six0
ip -6 route add default via fd00:1::2 dev six0
`

// istioInit6 redirects IPv6 as istio-init does.
const istioInit6 = `
ip6tables -t nat -A OUTPUT -p tcp ! -d ::1/128 -j REDIRECT --to-ports 15001
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
		{"IPv6 only, redirected without proxy", outbound6 + istioInit6, false, true},
		{"IPv6 only, redirected with proxy", outbound6 + istioInit6, true, false},
		{"IPv6 only, not redirected", outbound6, false, false},
		{"both families, IPv6 redirected", outbound + outbound6 + istioInit6, false, true},
		{"one address of each family refused", outbound + outbound6 +
			"iptables -A OUTPUT -p tcp -d 198.51.100.1 -j REJECT --reject-with tcp-reset\n" +
			"ip6tables -A OUTPUT -p tcp -d 2001:db8::1 -j REJECT --reject-with tcp-reset", false, false},
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

// node makes a router of the namespace "node", which the caller's traffic goes through, and
// gives it a firewall. Beyond it is nothing.
const node = `
ip link add pod0 type veth peer name node0
setpriv --pdeathsig KILL unshare --net sleep infinity >/dev/null 2>&1 &
router=$!
until [ "$(readlink /proc/$router/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link set node0 netns $router
in_node() { nsenter --net=/proc/$router/ns/net "$@"; }
ip link set pod0 up
ip address add 10.0.0.2/24 dev pod0
ip -6 address add fd00::2/64 dev pod0 nodad
in_node ip link set lo up
in_node ip link set node0 up
in_node ip address add 10.0.0.1/24 dev node0
in_node ip -6 address add fd00::1/64 dev node0 nodad
in_node ip link add beyond0 type veth peer name beyond1
in_node ip link set beyond0 up arp off
in_node ip link set beyond1 up
in_node ip address add 10.0.1.1/24 dev beyond0
in_node ip route add default dev beyond0
in_node ip -6 route add default dev beyond0
in_node sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip route add default via 10.0.0.1
ip -6 route add default via fd00::1
`

// A node's firewall that refuses was once taken for the redirect of a mesh: the pod never
// started.
func TestRedirectedBehindAFirewall(t *testing.T) {
	for name, rules := range map[string]string{
		"icmp":            "in_node iptables -A FORWARD -j REJECT; in_node ip6tables -A FORWARD -j REJECT",
		"reset":           "in_node iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset; in_node ip6tables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset",
		"drop":            "in_node iptables -A FORWARD -j DROP; in_node ip6tables -A FORWARD -j DROP",
		"none":            "",
		"port 9 excepted": "in_node iptables -A FORWARD -p tcp ! --dport 80 -j REJECT --reject-with tcp-reset",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !inOwnNetwork(t, node+rules, "iptables", "ip6tables", "nsenter") {
				return
			}
			target := mustParse(t, "tcp://198.51.100.1:9")
			t.Logf("without the limit: %v", probeWithin(t, brief, target))
			if Redirected(t.Context()) {
				t.Error("redirected")
			}
		})
	}
}

// Behind a node with a firewall, a redirect is still seen.
func TestRedirectedBeforeAFirewall(t *testing.T) {
	if !inOwnNetwork(t, node+"in_node iptables -A FORWARD -j REJECT\n"+istioInit+redirectAll, "iptables", "nsenter") {
		return
	}
	eventually(t, "redirected", func() bool { return Redirected(t.Context()) })
}
