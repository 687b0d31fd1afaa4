package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// releasable returns a context that startgate --release ends, with errReleased as its cause.
// What that needs is there from releaseAfter on, until stop returns. Where it cannot be had
// the wait goes on without.
func (g *gate) releasable(ctx context.Context) (released context.Context, stop func()) {
	released, release := context.WithCancelCause(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		select {
		case <-released.Done():
			return
		case <-time.After(releaseAfter):
		}
		if err := serveRelease(released, func() { release(errReleased) }); err != nil {
			g.log.debug(eventWarning, "startgate --release will not find this wait: "+err.Error())
		}
	})
	return released, func() {
		release(nil)
		listening.Wait() // the application inherits no socket, and does not start while one is open
	}
}

// serveRelease calls release once a process of this user and container connects to the
// socket of this wait. It returns when ctx ends.
func serveRelease(ctx context.Context, release func()) error {
	name, err := releaseSocket()
	if err != nil {
		return err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: name + strconv.Itoa(os.Getpid()), Net: "unix"})
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := leavesFiles(listener); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	for {
		conn, err := listener.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		refusal := refuse(conn)
		_, _ = io.WriteString(conn, cmp.Or(refusal, releasedAnswer)+"\n") // few bytes never block
		_ = conn.Close()
		if refusal == "" {
			release()
		}
	}
}

// releasedAnswer is what a wait says that has been released.
const releasedAnswer = "released"

// refuse returns why the process at the other end may not release this wait. A process of
// another container has the PID 0 here, unless the containers share their processes.
func refuse(conn *net.UnixConn) string {
	peer, err := peerOf(conn)
	switch {
	case err != nil:
		return err.Error()
	case peer.Pid == 0:
		return "only a process of this container may release it"
	case int(peer.Uid) != os.Geteuid():
		return fmt.Sprintf("only user %d may release it", os.Geteuid())
	}
	return ""
}

// peerOf returns the process at the other end, as the kernel knows it: who connected, or
// listened (unix(7), SO_PEERCRED).
func peerOf(conn *net.UnixConn) (peer *unix.Ucred, err error) {
	failed := control(conn, func(fd int) {
		peer, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return peer, errors.Join(failed, err)
}

// spareFiles is how many files the wait may still open beside the socket, or it is done
// without: probes come first.
const spareFiles = 16

// leavesFiles returns an error if too few files may be opened beside the listener. It has
// the lowest number that was free.
func leavesFiles(listener *net.UnixListener) (err error) {
	failed := control(listener, func(fd int) {
		var limit unix.Rlimit
		if err = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && uint64(fd)+spareFiles >= limit.Cur {
			err = unix.EMFILE
		}
	})
	return errors.Join(failed, err)
}

func control(socket interface {
	SyscallConn() (syscall.RawConn, error)
}, f func(fd int),
) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// releaseSocket returns the name of the socket of a wait, without its PID. All containers of
// a pod share the names of abstract sockets, and each has a mount namespace of its own.
func releaseSocket() (string, error) {
	link, err := os.Readlink("/proc/self/ns/mnt") // mnt:[4026532281]
	if err != nil {
		return "", err
	}
	return "@startgate/" + strings.Trim(link, "mnt:[]") + "/", nil
}
