package wait

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// connectNow connects to an IP address on loopback and resets the connection.
// Linux has the answer of the other end before connect(2) returns. It is not ok when
// there was none, as when the queue of who listens is full, and for other addresses.
func connectNow(network, addr string) (answer Answer, ok bool) {
	to, err := netip.ParseAddrPort(addr)
	if network != "tcp" || err != nil || !to.Addr().IsLoopback() {
		return Answer{}, false
	}
	family, sockaddr := socketAddress(to)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		defer func() { _ = unix.Close(fd) }()
		lingerNot(uintptr(fd))
		if err = unix.Connect(fd, sockaddr); err == unix.EINPROGRESS {
			err = outcomeOf(fd)
		}
	}
	switch {
	case err == unix.ECONNREFUSED, isAbsent(network, addr, err), err == nil && isToItself(fd, to):
		return noListener, true
	case err == nil:
		return aListener, true
	}
	return Answer{}, false
}

func socketAddress(to netip.AddrPort) (family int, sockaddr unix.Sockaddr) {
	if to.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}

// outcomeOf returns the error of a connection that is being made, nil when it has
// been, and EINPROGRESS when there is no answer yet.
func outcomeOf(fd int) error {
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

// isToItself tells whether a connection to this address has met itself, as [dial]
// describes: it comes from there, too.
func isToItself(fd int, to netip.AddrPort) bool {
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
