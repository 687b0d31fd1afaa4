//go:build linux

package tests

// S2: a PIPE that is not the application's.

import (
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// S2: a PIPE that startgate's own writing raises is not the application's: a scraper of
// its metrics that hangs up once ended an application.
func TestOwnPipeIsNotForwarded(t *testing.T) {
	addr := freeAddr(t)
	p := startGate(t, append(slices.Clone(superviseSettings), "METRICS="+addr), program(t, "supervised"), "signals")
	p.untilOut("ready")
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
	p.forwards(unix.SIGUSR1)
	p.forwards(unix.SIGPIPE) // from outside it still is
	p.hasGot(unix.SIGUSR1, unix.SIGPIPE)
}

// S2: the same of a log whose reader has gone. Without waitid it has something to say.
func TestPipeOfTheLogIsNotForwarded(t *testing.T) {
	cmd := superviseForbidden(t, unix.EPERM, []int{unix.SYS_WAITID}, "signals")
	cmd.Stderr = readerGone(t)
	p := start(t, cmd)
	p.untilOut("ready")
	p.forwards(unix.SIGUSR1)
	p.forwards(unix.SIGPIPE) // from outside it still is
	p.hasGot(unix.SIGUSR1, unix.SIGPIPE)
}
