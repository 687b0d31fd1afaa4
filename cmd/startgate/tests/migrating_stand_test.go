//go:build linux

package tests

// What the programs of a row of examples/migrating wait for.

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// stand is what one program waits for, under the names of the page. Each of steps makes
// one thing ready.
type stand struct {
	testing.TB
	names []string // the page's, each followed by the test's own
	steps []func()
	asked atomic.Int64 // how many requests its HTTP server had
}

// words puts the test's names into a text of the page.
func (s *stand) words(text string) string { return strings.NewReplacer(s.names...).Replace(text) }

// db refuses connections.
func db(s *stand) {
	server := newSidecar(s, "")
	host, port, _ := net.SplitHostPort(server.addr)
	s.names = append(s.names, "db:5432", server.addr, "--host=db", "--host="+host, "--port=5432", "--port="+port)
	s.steps = append(s.steps, server.listen)
}

// cache does as well.
func cache(s *stand) {
	server := newSidecar(s, "")
	s.names = append(s.names, "cache:6379", server.addr)
	s.steps = append(s.steps, server.listen)
}

// file does not exist, and is empty when it does.
func file(s *stand) {
	path := filepath.Join(s.TempDir(), "ready")
	s.names = append(s.names, "/run/ready", path)
	s.steps = append(s.steps, func() {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			s.Error(err)
		}
	})
}

// socket does not exist.
func socket(s *stand) {
	path := filepath.Join(s.TempDir(), "s")
	s.names = append(s.names, "/run/app.sock", path)
	s.steps = append(s.steps, func() {
		listener, err := net.Listen("unix", path)
		if err != nil {
			s.Error(err)
			return
		}
		s.Cleanup(func() { listener.Close() })
	})
}

// web answers 503, and then as the handler says.
func web(handler http.HandlerFunc) func(*stand) { return webFrom(answers(503, ""), handler) }

// webFrom answers as before says, and then as after says.
func webFrom(before, after http.HandlerFunc) func(*stand) {
	return func(s *stand) {
		var ready atomic.Bool
		server := httptest.NewServer(s.switching(&ready, before, after))
		s.Cleanup(server.Close)
		s.names = append(s.names, "http://web", server.URL)
		s.steps = append(s.steps, func() { ready.Store(true) })
	}
}

func (s *stand) switching(ready *atomic.Bool, before, after http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer s.asked.Add(1)
		if ready.Load() {
			after(w, r)
			return
		}
		before(w, r)
	}
}

// secure answers 503 and then 200, with a certificate of its own authority.
func secure(s *stand) {
	var ready atomic.Bool
	server := httptest.NewTLSServer(s.switching(&ready, answers(503, ""), answers(200, "")))
	s.Cleanup(server.Close)
	ca := filepath.Join(s.TempDir(), "ca.pem")
	block := pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(&block), 0o600); err != nil {
		s.Fatal(err)
	}
	s.names = append(s.names, "https://web", server.URL, "/etc/ca.pem", ca)
	s.steps = append(s.steps, func() { ready.Store(true) })
}

// refusing does not listen, and then answers 503.
func refusing(s *stand) {
	server := newSidecar(s, "")
	s.names = append(s.names, "http://web", server.url())
	s.steps = append(s.steps, server.listen)
}

// answers has this status and body.
func answers(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// redirects sends / to /health, which has this status.
func redirects(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/health", http.StatusFound)
			return
		}
		w.WriteHeader(code)
	}
}

// authorized answers 200 to who knows the password.
func authorized(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
		w.WriteHeader(http.StatusUnauthorized)
	}
}
