package wait

// This file covers the schemes tcp and unix, and names that do not resolve.

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestTCP(t *testing.T) {
	addr := serve(t, "127.0.0.1:0", hang)
	_, port, _ := net.SplitHostPort(addr)
	wantAnswer(t, "tcp://"+addr, Ready, "connected")
	wantAnswer(t, "tcp://us3r:s3cret@localhost:"+port+"/any", Ready, "connected")
	wantAnswer(t, "tcp://127.0.0.1:"+unusedPort(t), Refused, "connection refused")
	wantAnswer(t, "tcp://localhost:"+unusedPort(t), Refused, "connection refused")
}

// A connection that is accepted and then closed is ready.
func TestTCPCloses(t *testing.T) {
	wantAnswer(t, "tcp://"+serve(t, "127.0.0.1:0", func(net.Conn) {}), Ready, "connected")
}

// No answer comes, not even from a kernel: a firewall drops the packets, or there is no route.
func TestTCPDropped(t *testing.T) {
	if !inOwnNetwork(t, `ip link add out0 type veth peer name out1
		ip link set out1 up
		ip link set out0 up arp off
		ip addr add 192.0.2.1/24 dev out0`) {
		return
	}
	if answer := probeWithin(t, brief, mustParse(t, "tcp://192.0.2.7:80")); !matches(answer, Timeout, "no answer to the connection attempt") || answer.Reach() != NotAnswered {
		t.Errorf("a silent network: %v", answer)
	}
	target := mustParse(t, "tcp://198.51.100.7:80")
	if answer := probeWithin(t, ample, target); !matches(answer, Failed, "network is unreachable") || answer.Reach() != NotRouted {
		t.Errorf("no route: %v", answer)
	}
}

func TestUnix(t *testing.T) {
	dir := ownDir(t)
	path := filepath.Join(dir, "s")
	wantAnswer(t, "unix://"+path, Refused, "it does not exist")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, "unix://"+path, Ready, "connected")

	// A server that was killed leaves its socket behind.
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	wantAnswer(t, "unix://"+path, Refused, "connection refused")

	file := write(t, dir, "f", "text")
	wantAnswer(t, "unix://"+file, Refused, "connection refused")
	wantAnswer(t, "unix://"+file+"/s", Failed, "not a directory")
}

func TestUnixWithoutPermission(t *testing.T) {
	if !asUnprivileged(t) {
		return
	}
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o700, 0} { // first only the socket denies, then its folder does
		if err := os.Chmod(filepath.Dir(path), mode); err != nil {
			t.Fatal(err)
		}
		answer := askOnce(t, "unix://"+path)
		if !matches(answer, Failed, "permission denied") || answer.Reach() != NotTried {
			t.Errorf("mode %v: %v, it came to %d", mode, answer, answer.Reach())
		}
	}
	_ = os.Chmod(filepath.Dir(path), 0o700)
}

// Datagrams were once not to be waited for at all: "protocol wrong type for socket".
func TestUnixDatagrams(t *testing.T) {
	for _, network := range []string{"unixgram", "unixpacket"} {
		path := filepath.Join(t.TempDir(), "s")
		wantAnswer(t, "unix://"+path, Refused, "it does not exist")
		addr := &net.UnixAddr{Name: path, Net: network}
		var socket interface{ Close() error }
		var err error
		if network == "unixgram" {
			socket, err = net.ListenUnixgram(network, addr)
		} else {
			socket, err = net.ListenUnix(network, addr)
		}
		if err != nil {
			t.Fatal(err)
		}
		wantAnswer(t, "unix://"+path, Ready, "connected")
		socket.Close()
	}
}

// The details say why a name does not resolve, which is not a refusal.
func TestResolver(t *testing.T) {
	need(t, "mount")
	conf := write(t, t.TempDir(), "resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
	if !inOwnNetwork(t, `exec unshare --mount sh -ec 'mount --bind `+conf+` /etc/resolv.conf; exec "$@"' sh "$@"`) {
		return
	}
	wantAnswer(t, "tcp://db.test:80", Failed, "cannot resolve db.test: name server: connection refused")
	server, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go resolve(server)
	_, port, _ := net.SplitHostPort(serve(t, "127.0.0.1:0", hang))
	for name, scheme := range schemes {
		if scheme.path || name == "dns" {
			continue
		}
		wantAnswer(t, name+"://us3r:s3cret@gone.test:80", Failed, "cannot resolve gone.test: no such host")
	}
	wantAnswer(t, "dns:///gone.test", Failed, "cannot resolve gone.test: no such host")
	wantAnswer(t, "dns:///broken.test", Failed, "cannot resolve broken.test: server misbehaving")
	wantAnswer(t, "dns:///silent.test", Failed, "cannot resolve silent.test: the name server does not answer")
	wantAnswer(t, "dns:///db.test", Ready, "it has the address 127.0.0.1")
	wantAnswer(t, "tcp://broken.test:80", Failed, "cannot resolve broken.test: server misbehaving")
	wantAnswer(t, "tcp://silent.test:80", Failed, "cannot resolve silent.test: the name server does not answer")
	wantAnswer(t, "tcp://db.test:"+port, Ready, "connected")
	wantAnswer(t, "tcp://db.test:"+unusedPort(t), Refused, "connection refused")
}

// resolve is a name server. The first letter of the name decides the answer: db has the
// address 127.0.0.1, gone does not exist, broken is an error, and silent gets no answer.
func resolve(server net.PacketConn) {
	for query := make([]byte, 512); ; {
		n, from, err := server.ReadFrom(query)
		if err != nil {
			return
		}
		question := query[12:n]
		for question[0] != 0 {
			question = question[question[0]+1:]
		}
		question = question[1:]
		isA := binary.BigEndian.Uint16(question) == 1
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:n-len(question)+4]...)
		switch name := query[13]; {
		case name == 's':
			continue
		case name == 'b':
			reply[3] |= 2
		case name == 'g':
			reply[3] |= 3
		case isA:
			reply[7] = 1
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
		}
		_, _ = server.WriteTo(reply, from)
	}
}
