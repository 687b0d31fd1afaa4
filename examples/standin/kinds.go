package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// kind is how one kind of sidecar differs from the others.
type kind struct {
	name    string
	drain   time.Duration // how long it takes to exit when asked to
	flags   func(*flag.FlagSet)
	servers func(*sidecar) []server
	onTerm  func() int // its exit code after TERM; nil: 0
}

// server is one port of a sidecar.
type server struct {
	port    int
	when    moment // from which on it listens
	handler http.Handler
	carry   func(*net.TCPConn) (net.Conn, error) // instead: connects to where it carries the bytes
}

// notReady is what Istio's agent says while Envoy is not ready.
const notReady = "Envoy proxy is NOT ready: config not received from XDS server"

// istio plays Istio's agent and its Envoy: the agent answers 503 on 15020 until Envoy is
// ready, and Envoy listens on 15021 from then on.
// With --carry Envoy listens on 15021 from the start and hands the requests to the agent,
// which writes its log; when Envoy is ready it carries what the pod's redirect sends to
// 15001 and 15006.
// (istio/istio: pilot/cmd/pilot-agent/status/server.go)
func istio() kind {
	var carry bool
	return kind{
		name: "istio",
		flags: func(flags *flag.FlagSet) {
			flags.BoolVar(&carry, "carry", false, "carry the pod's traffic")
		},
		servers: func(s *sidecar) []server {
			agent := http.NewServeMux()
			agent.HandleFunc("GET /healthz/ready", s.ready(notReady))
			agent.HandleFunc("POST /quitquitquit", s.quit("OK"))
			envoy := http.NewServeMux()
			envoy.HandleFunc("GET /healthz/ready", s.ready(""))
			if carry {
				logged := s.logReadiness(agent)
				return []server{
					{port: 15020, handler: logged},
					{port: 15021, handler: logged},
					{port: 15001, when: atReady, carry: outbound},
					{port: 15006, when: atReady, carry: inbound},
				}
			}
			return []server{{port: 15020, handler: agent}, {port: 15021, when: atReady, handler: envoy}}
		},
	}
}

// logReadiness writes what Istio's agent writes when it is asked: each time that Envoy is
// not ready, and once that it is.
func (s *sidecar) logReadiness(agent http.Handler) http.Handler {
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			select {
			case <-s.reached[atReady]:
				once.Do(func() { s.log("Envoy proxy is ready") })
			default:
				s.log(notReady)
			}
		}
		agent.ServeHTTP(w, r)
	})
}

// linkerd plays Linkerd's proxy. Its shutdown endpoint is off unless
// proxy.enableShutdownEndpoint is set, which --shutdown-endpoint=false plays.
// (linkerd/linkerd2-proxy: linkerd/app/admin/src/server.rs)
func linkerd() kind {
	enabled := true
	return kind{
		name: "linkerd",
		flags: func(flags *flag.FlagSet) {
			flags.BoolVar(&enabled, "shutdown-endpoint", enabled, "answer POST /shutdown")
		},
		servers: func(s *sidecar) []server {
			admin := http.NewServeMux()
			admin.HandleFunc("GET /ready", s.ready("not ready"))
			admin.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "live") })
			if enabled {
				admin.HandleFunc("POST /shutdown", s.quit("shutdown"))
			}
			return []server{{port: 4191, handler: admin}}
		},
	}
}

// cloudSQLProxy plays the Cloud SQL Auth Proxy, version 2.
// (GoogleCloudPlatform/cloud-sql-proxy: cmd/root.go, internal/healthcheck)
func cloudSQLProxy() kind {
	var (
		health, quit, zero bool
		httpPort, admin    int
	)
	return kind{
		name: "cloud-sql-proxy",
		flags: func(flags *flag.FlagSet) {
			flags.BoolVar(&health, "health-check", false, "serve /startup, /liveness and /readiness")
			flags.IntVar(&httpPort, "http-port", 9090, "for the health checks")
			flags.BoolVar(&quit, "quitquitquit", false, "serve /quitquitquit")
			flags.IntVar(&admin, "admin-port", 9091, "for quitquitquit")
			flags.BoolVar(&zero, "exit-zero-on-sigterm", false, "exit with 0 after TERM")
			for _, name := range []string{"structured-logs", "private-ip", "psc", "auto-iam-authn"} {
				flags.Bool(name, false, "accepted, and without effect")
			}
			flags.Int("port", 0, "accepted, and without effect")
		},
		servers: func(s *sidecar) []server {
			var all []server
			if health {
				checks := http.NewServeMux()
				checks.HandleFunc("GET /startup", s.ready("error"))
				all = append(all, server{port: httpPort, handler: checks})
			}
			if quit {
				mux := http.NewServeMux()
				mux.HandleFunc("/quitquitquit", s.quit(""))
				all = append(all, server{port: admin, handler: mux})
			}
			return all
		},
		onTerm: func() int {
			if zero {
				return 0
			}
			return 128 + int(syscall.SIGTERM)
		},
	}
}
