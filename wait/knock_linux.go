package wait

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// connectNow connects to an IP address on loopback and resets the connection. On Linux,
// the other end has answered before connect(2) returns. ok is false when it has not, for
// instance because the listener's queue is full, and for addresses not on loopback.
func connectNow(to netip.AddrPort) (answer Answer, ok bool) {
	if !to.Addr().IsLoopback() {
		return Answer{}, false
	}
	family, sockaddr := socketAddress(to)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		defer func() { _ = unix.Close(fd) }()
		resetOnClose(uintptr(fd))
		if err = unix.Connect(fd, sockaddr); err == unix.EINPROGRESS {
			err = connectError(fd)
		}
	}
	switch {
	case err == unix.ECONNREFUSED, cannotListen(to, err), err == nil && isSelfConnection(fd, to):
		return refused, true
	case err == nil:
		return accepted, true
	}
	return Answer{}, false
}

func socketAddress(to netip.AddrPort) (family int, sockaddr unix.Sockaddr) {
	if to.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}

// connectError returns the error of a connect(2) in progress: nil when it has succeeded,
// EINPROGRESS when there is no answer yet.
func connectError(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return err
	case errno != 0:
		return syscall.Errno(errno)
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return unix.EINPROGRESS
	}
	return nil
}

// isSelfConnection reports whether a connection to this address has connected to itself,
// as described at [dialer].
func isSelfConnection(fd int, to netip.AddrPort) bool {
	from, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		return to == netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port))
	case *unix.SockaddrInet6:
		return to == netip.AddrPortFrom(netip.AddrFrom16(from.Addr), uint16(from.Port))
	}
	return false
}
