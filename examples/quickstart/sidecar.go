package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// The sidecar's start, shortened: the one this was learned from took 43 seconds.
const (
	untilListening = 1500 * time.Millisecond
	untilReady     = 3500 * time.Millisecond
)

// Istio's ports: that of its agent, which says whether the sidecar is ready, and one that
// Envoy opens when it is.
const (
	agentPort = 15020
	envoyPort = 15021
)

// sidecar stands in for Istio's: an agent that reports whether the proxy is ready, and a
// proxy to which all connections of the pod are redirected. Connections to either are
// refused until it listens.
type sidecar struct {
	*timeline
	agent, envoy, proxy *port
	isIstio             bool   // agent and envoy are Istio's ports
	upstream            string // where the proxy forwards to
}

// newSidecar takes the ports for the sidecar of the Redis at upstream. Where another
// program has one of Istio's ports, it takes free ones.
func newSidecar(t *timeline, upstream string) (*sidecar, error) {
	s := &sidecar{timeline: t, upstream: upstream, isIstio: true}
	err := s.take(agentPort, envoyPort)
	if err != nil {
		s.isIstio = false
		err = s.take(0, 0)
	}
	return s, err
}

func (s *sidecar) take(agent, envoy int) (err error) {
	for _, p := range []struct {
		port   **port
		number int
	}{{&s.agent, agent}, {&s.envoy, envoy}, {&s.proxy, 0}} {
		if *p.port, err = hold(p.number); err != nil {
			s.release()
			return err
		}
	}
	return nil
}

// release gives back the ports that do not listen.
func (s *sidecar) release() {
	for _, p := range []*port{s.agent, s.envoy, s.proxy} {
		if p != nil {
			p.release()
		}
	}
}

// run starts the sidecar and serves until ctx ends.
func (s *sidecar) run(ctx context.Context) error {
	if !sleep(ctx, untilListening) {
		return nil
	}
	s.add("sidecar", "listens, and answers 503: it has no configuration yet")
	agent, err := s.agent.listen()
	if err != nil {
		return fmt.Errorf("cannot start the sidecar: %w", err)
	}
	ready := make(chan struct{})
	server := &http.Server{
		Handler:           health(ready),
		ReadHeaderTimeout: time.Second,
		ConnState:         func(conn net.Conn, _ http.ConnState) { noTimeWait(conn) },
	}
	defer server.Close()
	go func() { _ = server.Serve(agent) }()

	if !sleep(ctx, untilReady-untilListening) {
		return nil
	}
	proxy, proxyErr := s.proxy.listen()
	s.add("sidecar", isReady)
	close(ready)
	envoy, envoyErr := s.envoy.listen()
	if err := errors.Join(proxyErr, envoyErr); err != nil {
		return fmt.Errorf("cannot start the proxy: %w", err)
	}
	defer proxy.Close()
	defer envoy.Close()
	go serve(proxy, s.forward)
	go serve(envoy, noTimeWait) // startgate only tries whether it listens
	<-ctx.Done()
	return nil
}

// isReady is what the sidecar says when it is.
const isReady = "is ready: the proxy forwards, and the agent answers 200"

// health answers 503 until ready is closed, then 200, as Istio's agent does.
func health(ready <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-ready:
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

// forward carries a connection to the one upstream.
func (s *sidecar) forward(down net.Conn) {
	up, err := net.Dial("tcp", s.upstream)
	if err != nil {
		return
	}
	defer up.Close()
	go func() { _, _ = io.Copy(up, down) }()
	_, _ = io.Copy(down, up)
}

// sleep waits for d, and reports whether ctx lasted that long.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
