//go:build linux

package tests

// Faults: what a sidecar may answer that is no answer.

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"
)

// forever sends this until the connection is closed.
func forever(head, more string, pause time.Duration) reply {
	return func(_ *sidecar, conn net.Conn) {
		_, err := conn.Write([]byte(head))
		for ; err == nil; time.Sleep(pause) {
			_, err = conn.Write([]byte(more))
		}
	}
}

var big = string(bytes.Repeat([]byte("a"), 4096))

func hostileAnswers(t *testing.T) {
	for _, test := range []struct {
		name, says string
		answer     reply
	}{
		{"never answers", "no answer in time", hang},
		{"drips", "no answer in time", forever("HTTP/1.1 ", "2", 20*time.Millisecond)},
		{"headers without end", "its header is longer than 8 kB", forever("HTTP/1.1 200 OK\r\n", "X: "+big+"\r\n", 0)},
		{"body without end", "status 200, and a body longer than 1 MB", forever("HTTP/1.1 200 OK\r\n\r\n", big, 0)},
		{"reset in the answer", "connection reset", func(s *sidecar, conn net.Conn) {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
			reset(s, conn)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
				a := newSidecar(t, agentAddr)
				a.answer = test.answer
				a.listen()
				settings := []string{mode, "ATTEMPT_TIMEOUT=500ms", "BACKOFF_MAX=50ms"}
				ended, p := startFault(t, settings), startFault(t, settings)
				ended.untilLog(test.says)
				p.untilLog(test.says)
				ended.stopsWaiting()
				if mode == modeQuit { // the one that ended told it, and it is gone
					a.checkQuits(1)
					a.listen()
				}
				a.getReady(0)
				p.runsOnce()
			})
		})
	}
}
