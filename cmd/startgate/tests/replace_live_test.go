//go:build linux

package tests

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gated is a target that is not ready until the test says so.
type gated struct {
	url   string
	ready atomic.Bool
	asks  atomic.Int64
}

func newGated(t *testing.T) *gated {
	t.Helper()
	g := &gated{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		g.asks.Add(1)
		if !g.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// env is an environment in which startgate waits for the target.
func (g *gated) env() []string {
	return []string{"STARTGATE_WAIT_FOR=" + g.url, "STARTGATE_BACKOFF_MAX=10ms"}
}

func (g *gated) open() { g.ready.Store(true) }

// asked waits for a probe that began after the call.
func (g *gated) asked(t *testing.T) {
	t.Helper()
	enough := g.asks.Load() + 2 // the next may have been under way
	until(t, "another probe", func() bool { return g.asks.Load() >= enough })
}

// until waits until something has come true.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !true(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// live is the output of a process that still runs.
type live struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *live) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *live) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// until waits until the output has this text.
func (l *live) until(t testing.TB, text string) {
	t.Helper()
	until(t, text, func() bool { return strings.Contains(l.String(), text) })
}

// starts starts the command and returns its standard error.
func (s *stage) starts(cmd *exec.Cmd) *live {
	s.Helper()
	log := &live{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	return log
}
