package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// outbound connects to where the application wanted to connect before the pod's redirect.
func outbound(app *net.TCPConn) (net.Conn, error) {
	address, err := originalDestination(app)
	if err != nil {
		return nil, err
	}
	return net.Dial("tcp", address.String())
}

// inbound connects to the application. The redirect leaves alone what comes from
// 127.0.0.6; otherwise it would send the connection back to this process.
func inbound(client *net.TCPConn) (net.Conn, error) {
	address, err := originalDestination(client)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 6)}}
	return dialer.Dial("tcp", address.String())
}

// originalDestination asks the kernel (SO_ORIGINAL_DST, of IPv4). The answer is a struct
// sockaddr_in, read through a struct that is large enough.
func originalDestination(conn *net.TCPConn) (netip.AddrPort, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	var (
		answer *unix.IPv6Mreq
		failed error
	)
	if err := raw.Control(func(fd uintptr) {
		answer, failed = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, unix.SO_ORIGINAL_DST)
	}); err != nil {
		return netip.AddrPort{}, err
	}
	if failed != nil {
		return netip.AddrPort{}, fmt.Errorf("cannot find the original destination: %w", failed)
	}
	sockaddr := answer.Multiaddr
	port := binary.BigEndian.Uint16(sockaddr[2:4])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(sockaddr[4:8])), port), nil
}

// join carries bytes both ways until both ends have closed.
func join(a *net.TCPConn, b net.Conn) {
	go func() {
		_, _ = io.Copy(b, a)
		_ = b.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(a, b)
}
