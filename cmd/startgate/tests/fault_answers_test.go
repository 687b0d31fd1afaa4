//go:build linux

package tests

import (
	"bytes"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// forever sends this until nobody takes it any more.
func forever(conn net.Conn, head, more string, pause time.Duration) {
	_, err := conn.Write([]byte(head))
	for ; err == nil; time.Sleep(pause) {
		_, err = conn.Write([]byte(more))
	}
}

var big = string(bytes.Repeat([]byte("a"), 4096))

func hostileAnswers(t *testing.T) {
	for _, test := range []struct {
		name, says string
		answer     func(net.Conn)
	}{
		{"never answers", "no answer in time", func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }},
		{"drips", "no answer in time", func(conn net.Conn) { forever(conn, "HTTP/1.1 ", "2", 20*time.Millisecond) }},
		{"headers without end", "its header is longer than 8 kB", func(conn net.Conn) { forever(conn, "HTTP/1.1 200 OK\r\n", "X: "+big+"\r\n", 0) }},
		{"body without end", "status 200, and a body longer than 1 MB", func(conn net.Conn) { forever(conn, "HTTP/1.1 200 OK\r\n\r\n", big, 0) }},
		{"reset in the answer", "connection reset", func(conn net.Conn) {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
			_ = conn.(*net.TCPConn).SetLinger(0)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inModes(t, []string{replaces, quitsIstio}, func(t *testing.T, mode string) {
				var good atomic.Bool
				a := &agent{TB: t, answer: func(_ int64, conn net.Conn) {
					if good.Load() {
						respond(conn, 200)
						return
					}
					test.answer(conn)
				}}
				a.listen()
				settings := []string{mode, "ATTEMPT_TIMEOUT=500ms", "BACKOFF_MAX=50ms"}
				ended, i := struck(t, settings), struck(t, settings)
				ended.log.until(t, test.says)
				i.log.until(t, test.says)
				ended.yields()
				if mode == quitsIstio { // the one that ended told it, and it is gone
					a.wasTold(1)
					a.listen()
				}
				good.Store(true)
				i.starts()
			})
		})
	}
}
