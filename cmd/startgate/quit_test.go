package main

// These tests cover the order in which sidecars are shut down.

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/startgate/startgate/wait"
)

// quitServer is a sidecar that can be shut down.
type quitServer struct {
	url string

	mu    sync.Mutex
	posts []time.Time
}

func (s *quitServer) requests() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posts
}

// newQuitServer starts one that does this when it is asked to shut down. Closing the
// server makes its port refuse.
func newQuitServer(t *testing.T, quit func(w http.ResponseWriter, r *http.Request, server *httptest.Server)) *quitServer {
	t.Helper()
	s := &quitServer{}
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		s.mu.Lock()
		s.posts = append(s.posts, time.Now())
		s.mu.Unlock()
		quit(w, r, server)
	})
	server.Start()
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func quitsAtOnce(w http.ResponseWriter, _ *http.Request, server *httptest.Server) {
	_ = http.NewResponseController(w).Flush() // it answers, and is gone
	go server.Config.Close()
}

func hangs(_ http.ResponseWriter, r *http.Request, _ *httptest.Server) { <-r.Context().Done() }

// shutDown shuts these down, in this process.
func shutDown(t *testing.T, limit time.Duration, others, mesh *quitServer) {
	t.Helper()
	g := &gate{log: newLog(io.Discard, settings{}), settings: settings{QuitTimeout: positiveDuration(limit)}}
	var targets []wait.Target
	for _, s := range []*quitServer{mesh, others} {
		target, err := wait.ParseQuit(s.url, os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		target.Sidecar = &wait.Sidecar{Mesh: s == mesh}
		targets = append(targets, target)
	}
	if err := g.quitAll(t.Context(), targets); err != nil {
		t.Fatal(err)
	}
}

// The mesh was once asked after a second, which is how long the log watches another one
// that drains.
func TestQuitAsksTheMeshLast(t *testing.T) {
	for _, drain := range []time.Duration{200 * time.Millisecond, 1500 * time.Millisecond} {
		gone := make(chan time.Time, 1)
		other := newQuitServer(t, func(_ http.ResponseWriter, _ *http.Request, server *httptest.Server) {
			time.AfterFunc(drain, func() { gone <- time.Now(); server.Config.Close() })
		})
		mesh := newQuitServer(t, quitsAtOnce)
		shutDown(t, 10*time.Second, other, mesh)
		if at := <-gone; len(other.requests()) != 1 || len(mesh.requests()) != 1 || mesh.requests()[0].Before(at) {
			t.Errorf("the mesh was asked at %v, want after %v, when the other had gone", mesh.requests(), at)
		}
	}
}

func TestQuitAsksTheMeshAfterHalfOfTheTime(t *testing.T) {
	other := newQuitServer(t, hangs)
	mesh := newQuitServer(t, quitsAtOnce)
	began := time.Now()
	shutDown(t, 2*time.Second, other, mesh)
	if len(mesh.requests()) != 1 {
		t.Fatalf("the mesh was asked %d times, want once", len(mesh.requests()))
	}
	if after := mesh.requests()[0].Sub(began); after < time.Second {
		t.Errorf("the mesh was asked after %v, want half of 2s or more", after)
	}
}
