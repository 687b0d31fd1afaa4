package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// port is a TCP port of 127.0.0.1 that this program holds. Until it listens, connections
// to it are refused, and no other program can take it.
type port struct {
	fd     int
	number int
}

// hold takes a port, or any free one if number is 0. Without SO_REUSEADDR, which net.Listen
// sets, the port is this program's alone; but a connection in TIME-WAIT keeps it from being
// taken again for a minute: see noTimeWait.
func hold(number int) (*port, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("cannot make a socket: %w", err)
	}
	p := &port{fd: fd}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		p.release()
		return nil, fmt.Errorf("cannot take port %d: %w", number, err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		p.release()
		return nil, fmt.Errorf("cannot find out which port was taken: %w", err)
	}
	p.number = addr.(*syscall.SockaddrInet4).Port
	return p, nil
}

// noTimeWait makes that a connection leaves nothing behind when it is closed.
func noTimeWait(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
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

// release gives the port back, if it does not listen.
func (p *port) release() {
	if p.fd >= 0 {
		_ = syscall.Close(p.fd)
		p.fd = -1
	}
}

func (p *port) addr() string { return fmt.Sprintf("127.0.0.1:%d", p.number) }
