package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
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
			g.log.Debug("startgate --release will not find this wait: " + err.Error())
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
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		refusal := refuse(conn)
		_, _ = quiet{conn}.Write([]byte(cmp.Or(refusal, releasedAnswer) + "\n")) // few bytes never block
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

// release ends the waits of this container, and says so to log.
func release(ctx context.Context, log io.Writer) error {
	pids, err := waits()
	if err != nil {
		return fmt.Errorf("cannot find what waits in this container: %w", err)
	}
	var errs []error
	for _, pid := range pids {
		if err := releasePID(ctx, pid); err != nil {
			errs = append(errs, fmt.Errorf("cannot release PID %d: %w", pid, err))
			continue
		}
		fmt.Fprintf(log, "startgate: released PID %d\n", pid)
	}
	if len(pids) == 0 {
		return fmt.Errorf("no startgate in this container has been waiting for more than %v", releaseAfter)
	}
	return errors.Join(errs...)
}

// waits returns the PIDs of the waits of this container that can be released.
func waits() (pids []int, err error) {
	name, err := releaseSocket()
	if err != nil {
		return nil, err
	}
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(sockets)) {
		fields := strings.Fields(line)
		suffix, ok := strings.CutPrefix(fields[len(fields)-1], name)
		if pid, err := strconv.Atoi(suffix); ok && err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil // a connection that is open has the name too
}

// releasePID ends the wait of a process.
func releasePID(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, releasePatience)
	defer cancel()
	name, err := releaseSocket()
	if err != nil {
		return err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", name+strconv.Itoa(pid))
	if err != nil {
		return errnoOf(err)
	}
	defer conn.Close()
	if peer, err := peerOf(conn.(*net.UnixConn)); err != nil || int(peer.Pid) != pid {
		return errors.New("another process has its socket")
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	answer, err := bufio.NewReader(io.LimitReader(conn, 200)).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return errors.New("it is not waiting any more")
	case answer != releasedAnswer+"\n":
		return errors.New(strings.TrimSpace(answer))
	}
	return nil
}

// releasePatience is how long a wait may take to answer.
const releasePatience = 5 * time.Second
