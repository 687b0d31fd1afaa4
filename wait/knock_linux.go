package wait

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// knockSocket connects to one address on loopback, again and again with the same socket. On
// Linux the other end has answered before connect(2) returns.
//
// Its system calls are raw: they do not block, and Go's scheduler would wake a thread to
// watch over each. A wait knocks a hundred times a second.
type knockSocket struct {
	to       netip.AddrPort
	sockaddr []byte
	fd       int // -1: none yet
}

// newKnockSocket returns nil for addresses that are not on loopback.
func newKnockSocket(to netip.AddrPort) *knockSocket {
	if !to.Addr().IsLoopback() {
		return nil
	}
	return &knockSocket{to: to, sockaddr: sockaddrOf(to), fd: -1}
}

// connect connects, and resets the connection. ok is false when there is no answer yet, for
// instance because the listener's queue is full.
func (s *knockSocket) connect() (answer Answer, ok bool) {
	err := s.tryAgain()
	if s.isRefusal(err) {
		return refused, true // the socket can be used again
	}
	defer s.close()
	if err == nil && s.isSelfConnection() {
		return refused, true
	}
	return accepted, err == nil
}

func (s *knockSocket) isRefusal(err error) bool {
	return err == unix.ECONNREFUSED || cannotListen(s.to, err)
}

// tryAgain connects with the socket that was used before. Where that is not possible it
// takes a new one.
func (s *knockSocket) tryAgain() error {
	if s.fd >= 0 {
		if err := s.try(); err == nil || s.isRefusal(err) {
			return err
		}
		s.close()
	}
	if err := s.open(); err != nil {
		return err
	}
	return s.try()
}

// try asks twice: a socket that does not block says first that it is connecting, and then
// how that ended. After a refusal it is as new.
func (s *knockSocket) try() error {
	err := s.connectOnce()
	if err == unix.EINPROGRESS {
		err = s.connectOnce()
	}
	if err != 0 {
		return err
	}
	return nil
}

func (s *knockSocket) connectOnce() syscall.Errno {
	_, _, err := unix.RawSyscall(unix.SYS_CONNECT, uintptr(s.fd), uintptr(unsafe.Pointer(&s.sockaddr[0])), uintptr(len(s.sockaddr)))
	return err
}

func (s *knockSocket) open() (err error) {
	family := int(binary.NativeEndian.Uint16(s.sockaddr))
	s.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		resetOnClose(uintptr(s.fd))
	}
	return err
}

func (s *knockSocket) close() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
	}
	s.fd = -1
}

// sockaddrOf returns the address as connect(2) reads it: ip(7), ipv6(7).
func sockaddrOf(to netip.AddrPort) []byte {
	family, size, at := unix.AF_INET, unix.SizeofSockaddrInet4, 4
	if to.Addr().Is6() {
		family, size, at = unix.AF_INET6, unix.SizeofSockaddrInet6, 8
	}
	sockaddr := make([]byte, size)
	binary.NativeEndian.PutUint16(sockaddr, uint16(family))
	binary.BigEndian.PutUint16(sockaddr[2:], to.Port())
	copy(sockaddr[at:], to.Addr().AsSlice())
	return sockaddr
}

// isSelfConnection reports whether the connection has connected to itself, as described at
// [dialer].
func (s *knockSocket) isSelfConnection() bool {
	from, err := unix.Getsockname(s.fd)
	if err != nil {
		return false
	}
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		return s.to == netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port))
	case *unix.SockaddrInet6:
		return s.to == netip.AddrPortFrom(netip.AddrFrom16(from.Addr), uint16(from.Port))
	}
	return false
}
