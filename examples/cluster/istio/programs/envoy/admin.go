package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// The states that Envoy's server.state counts.
const (
	live            = 0
	preInitializing = 2
	initializing    = 3
)

var stateNames = map[int64]string{live: "LIVE", preInitializing: "PRE_INITIALIZING", initializing: "INITIALIZING"}

// state is what the admin port shows.
type state struct {
	server                        atomic.Int64
	clusters, listeners, rejected atomic.Int64
	workers                       atomic.Int64
	active                        atomic.Int64 // connections through 15001 and 15006
}

// serveAdmin opens port 15000.
func serveAdmin(s *state) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", s.serveStats)
	mux.HandleFunc("GET /stats/prometheus", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if s.server.Load() != live {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, stateNames[s.server.Load()])
	})
	mux.HandleFunc("GET /server_info", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "{\n \"version\": \"stand-in\",\n \"state\": %q\n}\n", stateNames[s.server.Load()])
	})
	mux.HandleFunc("POST /drain_listeners", func(w http.ResponseWriter, r *http.Request) {
		log.Print("drains its listeners ", r.URL.RawQuery)
		fmt.Fprintln(w, "OK")
	})
	mux.HandleFunc("POST /quitquitquit", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "OK")
		log.Print("was asked to quit: exits")
		time.AfterFunc(10*time.Millisecond, func() { os.Exit(0) })
	})
	listener, err := net.Listen("tcp4", "127.0.0.1:15000")
	if err != nil {
		return err
	}
	log.Print("admin port is open")
	go func() { log.Fatal(http.Serve(listener, mux)) }()
	return nil
}

// serveStats answers the three questions that the agent asks. A counter that is 0 is left
// out, as by ?usedonly.
func (s *state) serveStats(w http.ResponseWriter, r *http.Request) {
	switch filter := r.URL.Query().Get("filter"); {
	case strings.Contains(filter, "update_success"):
		for _, counter := range []struct {
			name  string
			value int64
		}{
			{"cluster_manager.cds.update_success", s.clusters.Load()},
			{"listener_manager.lds.update_rejected", s.rejected.Load()},
			{"listener_manager.lds.update_success", s.listeners.Load()},
		} {
			if counter.value > 0 {
				fmt.Fprintf(w, "%s: %d\n", counter.name, counter.value)
			}
		}
	case strings.Contains(filter, "workers_started"):
		fmt.Fprintf(w, "listener_manager.workers_started: %d\nserver.state: %d\n", s.workers.Load(), s.server.Load())
	case strings.Contains(filter, "downstream_cx_active"):
		fmt.Fprintf(w, "listener.0.0.0.0_15001.downstream_cx_active: %d\n", s.active.Load())
	}
}
