package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// port is a TCP port of 127.0.0.1 that this program holds, which fails if another listens on
// it. Connections to it are refused until this program listens.
type port struct {
	fd     int
	number int
	lock   net.PacketConn // keeps another quickstart from the same number
}

// hold takes a port, or any free one if number is 0.
func hold(number int) (*port, error) {
	// Of TCP ports there is no exclusive hold that connections of the last quickstart (in
	// TIME-WAIT) would not prevent; of UDP ports there is.
	lock, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", number))
	if err != nil {
		return nil, fmt.Errorf("cannot take port %d: %w", number, err)
	}
	p := &port{fd: -1, number: lock.LocalAddr().(*net.UDPAddr).Port, lock: lock}
	if err := p.bind(); err != nil {
		p.release()
		return nil, fmt.Errorf("cannot take port %d: %w", p.number, err)
	}
	return p, nil
}

func (p *port) bind() error {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return err
	}
	p.fd = fd
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return syscall.Bind(fd, &syscall.SockaddrInet4{Port: p.number, Addr: [4]byte{127, 0, 0, 1}})
}

// listen accepts connections from now on.
func (p *port) listen() (net.Listener, error) {
	if err := syscall.Listen(p.fd, syscall.SOMAXCONN); err != nil {
		return nil, fmt.Errorf("cannot listen on port %d: %w", p.number, err)
	}
	file := os.NewFile(uintptr(p.fd), p.addr())
	p.fd = -1
	defer file.Close() // the listener has its own copy
	return net.FileListener(file)
}

// release gives the port back. A listener is not closed.
func (p *port) release() {
	if p.fd >= 0 {
		_ = syscall.Close(p.fd)
		p.fd = -1
	}
	_ = p.lock.Close()
}

func (p *port) addr() string { return fmt.Sprintf("127.0.0.1:%d", p.number) }
