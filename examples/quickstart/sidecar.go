package main

import (
	"context"
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

// sidecar stands in for Istio's: an agent that reports whether the proxy is ready, and a
// proxy to which all connections of the pod are redirected. Connections to either are
// refused until it listens.
type sidecar struct {
	*timeline
	agent, proxy string // where they will listen
	upstream     string // where the proxy forwards to
}

// newSidecar finds two free ports for the sidecar of the Redis at upstream.
func newSidecar(t *timeline, upstream string) (*sidecar, error) {
	s := &sidecar{timeline: t, upstream: upstream}
	for _, addr := range []*string{&s.agent, &s.proxy} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("cannot find a free port: %w", err)
		}
		defer listener.Close() // when both are known, so that they differ
		*addr = listener.Addr().String()
	}
	return s, nil
}

// run starts the sidecar and serves until ctx ends.
func (s *sidecar) run(ctx context.Context) error {
	if !sleep(ctx, untilListening) {
		return nil
	}
	s.add("sidecar", "listens, and answers 503: it has no configuration yet")
	agent, err := net.Listen("tcp", s.agent)
	if err != nil {
		return fmt.Errorf("cannot start the sidecar, try again: %w", err)
	}
	ready := make(chan struct{})
	server := &http.Server{Handler: health(ready), ReadHeaderTimeout: time.Second}
	defer server.Close()
	go func() { _ = server.Serve(agent) }()

	if !sleep(ctx, untilReady-untilListening) {
		return nil
	}
	s.add("sidecar", "is ready: the proxy forwards, and the agent answers 200")
	proxy, err := net.Listen("tcp", s.proxy)
	if err != nil {
		return fmt.Errorf("cannot start the proxy, try again: %w", err)
	}
	defer proxy.Close()
	go serve(proxy, s.forward)
	close(ready)
	<-ctx.Done()
	return nil
}

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
