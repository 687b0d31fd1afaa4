package main

// These tests cover the order in which sidecars are shut down.

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/startgate/startgate/wait"
)

// leaver is a stand-in for one that can be told to quit.
type leaver struct {
	url string

	mu    sync.Mutex
	posts []time.Time
}

func (s *leaver) told() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posts
}

// newLeaver starts one that does this when it is told to quit; closing it makes
// its port refuse.
func newLeaver(t *testing.T, quit func(w http.ResponseWriter, r *http.Request, server *httptest.Server)) *leaver {
	t.Helper()
	s := &leaver{}
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

// quitOrder tells these to quit, in process, and returns when each was told.
func quitOrder(t *testing.T, limit time.Duration, others, mesh *leaver) {
	t.Helper()
	g := &gate{log: slog.New(slog.DiscardHandler), settings: settings{QuitTimeout: positiveDuration(limit)}}
	var targets []wait.Target
	for _, s := range []*leaver{mesh, others} {
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

// Once the mesh was told after a second, which is how long the log watches an other
// that drains.
func TestQuitTellsTheMeshLast(t *testing.T) {
	for _, drain := range []time.Duration{200 * time.Millisecond, 1500 * time.Millisecond} {
		gone := make(chan time.Time, 1)
		other := newLeaver(t, func(_ http.ResponseWriter, _ *http.Request, server *httptest.Server) {
			time.AfterFunc(drain, func() { gone <- time.Now(); server.Config.Close() })
		})
		mesh := newLeaver(t, quitsAtOnce)
		quitOrder(t, 10*time.Second, other, mesh)
		if at := <-gone; len(other.told()) != 1 || len(mesh.told()) != 1 || mesh.told()[0].Before(at) {
			t.Errorf("the mesh was told at %v, want after %v, when the other had gone", mesh.told(), at)
		}
	}
}

func TestQuitTellsTheMeshWhenHalfOfTheTimeIsOver(t *testing.T) {
	other := newLeaver(t, hangs)
	mesh := newLeaver(t, quitsAtOnce)
	began := time.Now()
	quitOrder(t, 2*time.Second, other, mesh)
	if len(mesh.told()) != 1 {
		t.Fatalf("the mesh was told %d times, want once", len(mesh.told()))
	}
	if after := mesh.told()[0].Sub(began); after < time.Second || after > 1900*time.Millisecond {
		t.Errorf("the mesh was told after %v, want half of 2s", after)
	}
}
