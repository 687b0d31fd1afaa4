//go:build linux

package tests

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// agent stands in for Istio's agent, and does what it should not.
type agent struct {
	testing.TB
	answer   func(n int64, conn net.Conn) // the n-th question whether it is ready
	asked    atomic.Int64
	told     atomic.Int64 // to quit, whereupon it does not listen any more
	listener net.Listener
}

// respond sends a whole answer.
func respond(conn net.Conn, status int) {
	fmt.Fprintf(conn, "HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status)
}

// listen must be called by the goroutine that is in the network. A port that was
// closed stays in use for as long as a process that is just being started has it.
func (a *agent) listen() {
	a.Helper()
	var listener net.Listener
	until(a, "the agent's port to be free", func() (free bool) {
		var err error
		listener, err = net.Listen("tcp", agentAddr)
		return err == nil
	})
	a.Cleanup(func() { listener.Close() })
	a.listener = listener
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go a.serve(listener, conn)
		}
	}()
}

func (a *agent) close() { a.listener.Close() }

func (a *agent) serve(listener net.Listener, conn net.Conn) {
	defer conn.Close()
	request, err := http.ReadRequest(bufio.NewReader(conn))
	switch {
	case err != nil: // somebody knocked
	case request.Method == http.MethodPost:
		a.told.Add(1)
		listener.Close()
		respond(conn, http.StatusOK)
	default:
		a.answer(a.asked.Add(1), conn)
	}
}

// wasTold checks how often it was told to quit.
func (a *agent) wasTold(want int64) {
	a.Helper()
	if told := a.told.Load(); told != want {
		a.Errorf("the sidecar was told to quit %d times, want %d", told, want)
	}
}

func flaps(t *testing.T) {
	inModes(t, []string{replaces, supervises}, func(t *testing.T, mode string) {
		var may atomic.Bool
		var readied atomic.Int64
		a := &agent{TB: t, answer: func(n int64, conn net.Conn) {
			if may.Load() && n%3 == 0 {
				readied.Add(1)
				respond(conn, 200)
				return
			}
			respond(conn, 503)
		}}
		i := struck(t, []string{mode})
		i.log.until(t, "connection refused")
		round := 0
		until(t, "the application", func() bool {
			if round++; round > 20 {
				may.Store(true)
			}
			a.listen()
			time.Sleep(20 * time.Millisecond) // the flapping itself, as below
			a.close()
			time.Sleep(5 * time.Millisecond)
			return i.out.String() != ""
		})
		if readied.Load() == 0 {
			t.Error("the application started before the sidecar was ready")
		}
		i.starts()
		i.tells("status 503", "istio is ready")
	})
}

func readyOnce(t *testing.T) {
	inModes(t, []string{replaces, supervises}, func(t *testing.T, mode string) {
		const once = 5
		a := &agent{TB: t, answer: func(n int64, conn net.Conn) {
			if n == once {
				respond(conn, 200)
				return
			}
			respond(conn, 503)
		}}
		a.listen()
		i := struck(t, []string{mode, "BACKOFF_MAX=50ms"})
		i.starts()
		if asked := a.asked.Load(); asked != once {
			t.Errorf("the sidecar was asked %d times, want %d", asked, once)
		}
	})
}

func restarts(t *testing.T) {
	inModes(t, []string{replaces, quitsIstio}, func(t *testing.T, mode string) {
		var ready atomic.Bool
		a := &agent{TB: t, answer: func(_ int64, conn net.Conn) {
			if ready.Load() {
				respond(conn, 200)
				return
			}
			respond(conn, 503)
		}}
		i := struck(t, []string{mode, "BACKOFF_MAX=50ms"})
		i.log.until(t, "connection refused")
		for range 2 {
			asked := a.asked.Load()
			a.listen()
			until(t, "a question", func() bool { return a.asked.Load() > asked+1 })
			a.close()
		}
		ready.Store(true)
		i.log.until(t, "connection refused")
		a.listen()
		i.starts()
		i.tells("connection refused", "status 503", "istio is ready")
		if mode == quitsIstio {
			a.wasTold(1)
		}
	})
}

func diesAfterReady(t *testing.T) {
	inModes(t, []string{replaces, quitsIstio}, func(t *testing.T, mode string) {
		a := &agent{TB: t}
		a.answer = func(_ int64, conn net.Conn) {
			a.close()
			respond(conn, 200)
		}
		a.listen()
		i := struck(t, []string{mode})
		i.starts()
		if mode == quitsIstio {
			i.tells("istio is gone already", "code=42")
		}
	})
}
