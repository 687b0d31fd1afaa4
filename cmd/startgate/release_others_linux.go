package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// release ends the waits of this container, and prints which.
func release(ctx context.Context, w io.Writer) error {
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
		fmt.Fprintf(w, "startgate: released PID %d\n", pid)
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
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return errNoAnswer
	}
	if err != nil {
		return errnoOf(err)
	}
	defer conn.Close()
	if peer, err := peerOf(conn.(*net.UnixConn)); err != nil || int(peer.Pid) != pid {
		return errors.New("another process has its socket")
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	answer, err := bufio.NewReader(io.LimitReader(conn, 200)).ReadString('\n')
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errNoAnswer
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return errors.New("it is not waiting any more")
	case answer != releasedAnswer+"\n":
		return errors.New(strings.TrimSpace(answer))
	}
	return nil
}

var errNoAnswer = errors.New("it does not answer")

// releasePatience is how long a wait may take to answer.
const releasePatience = 5 * time.Second
