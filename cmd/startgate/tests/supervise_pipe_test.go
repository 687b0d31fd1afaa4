//go:build linux

package tests

import (
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A PIPE that startgate's own writing raises is not the application's: a scraper of
// its metrics that hangs up once ended an application.
func TestOwnPipeIsNotForwarded(t *testing.T) {
	listener := listenOn(t, "127.0.0.1:0")
	listener.Close() // and startgate listens there
	addr := listener.Addr().String()
	cmd := superviseCommand(t, application(t), "signals")
	cmd.Env = append(supervising(), "STARTGATE_METRICS="+addr)
	i := begin(t, cmd)
	i.out.until(t, "ready")
	for range 50 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_, _ = conn.Write([]byte(strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 50)))
		_, _ = conn.Read(make([]byte, 1))
		conn.Close()
	}
	i.handsOn(unix.SIGUSR1)
	i.handsOn(unix.SIGPIPE) // from outside it still is
	if got, want := i.got(), []syscall.Signal{unix.SIGUSR1, unix.SIGPIPE}; !slices.Equal(got, want) {
		t.Errorf("the application got %v, want %v", got, want)
	}
}

// The same of a log whose reader has gone. Without waitid it has something to say.
func TestPipeOfTheLogIsNotForwarded(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := forbids(t, superviseCommand(t, application(t), "signals"), unix.EPERM, []int{unix.SYS_WAITID})
	i := begin(t, cmd, nil, w)
	i.out.until(t, "ready")
	i.handsOn(unix.SIGUSR1)
	i.handsOn(unix.SIGPIPE) // from outside it still is
	if got, want := i.got(), []syscall.Signal{unix.SIGUSR1, unix.SIGPIPE}; !slices.Equal(got, want) {
		t.Errorf("the application got %v, want %v", got, want)
	}
}
