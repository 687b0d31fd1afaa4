package wait

// This file covers IPv6 addresses with a zone, and abstract Unix sockets.

import (
	"io"
	"net"
	"strings"
	"testing"
)

// A zone is part of the address to connect to, and of nothing that is sent. A gRPC request
// to such an address was once never sent.
func TestZone(t *testing.T) {
	if !inOwnNetwork(t, "ip link add d0 type veth peer name d1\nip link set d0 up\nip -6 address add fe80::1/64 dev d0 nodad") {
		return
	}
	for scheme, answer := range readyAnswers {
		addr := serve(t, "[fe80::1%d0]:0", func(conn net.Conn) {
			awaitRequest(scheme, conn)
			_, _ = io.WriteString(conn, answer)
			hang(conn)
		})
		if got := probe(t, mustParse(t, scheme+"://"+"[fe80::1%25d0]"+addr[strings.LastIndexByte(addr, ':'):])); got.Outcome != Ready {
			t.Errorf("%s: %v", scheme, got)
		}
	}
}

// A certificate has no zone, so none is looked for in it.
func TestZoneIsNotInTheCertificate(t *testing.T) {
	for scheme := range tlsSchemes {
		if got := mustParse(t, scheme+"://[fe80::1%25eth0]:1").Prober.(*connProbe).tls.ServerName; got != "fe80::1" {
			t.Errorf("%s: the server's name is %q", scheme, got)
		}
	}
}

// A zone is in the detail as it is in the target's name.
func TestZoneInDetail(t *testing.T) {
	for scheme := range readyAnswers {
		target := mustParse(t, scheme+"://[fe80::1%25lo]:5")
		if got := probeWithin(t, brief, target).Detail; !strings.Contains(got, " "+target.Name) {
			t.Errorf("%s: detail is %q", target.Name, got)
		}
	}
}

func TestAbstractUnixSocket(t *testing.T) {
	for _, name := range []string{"@startgate-test", "@/startgate-test/s.sock", "@startgate-test:1"} {
		wantAnswer(t, "unix://"+name, Refused, "connection refused")
		listener, err := net.Listen("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		wantAnswer(t, "unix://"+name, Ready, "connected")
		target := mustParse(t, "unix://"+name)
		if target.Name != "unix://"+name || !target.Listens(t.Context()) {
			t.Errorf("%s: %q, listens %v", name, target.Name, target.Listens(t.Context()))
		}
		listener.Close()
	}
}
