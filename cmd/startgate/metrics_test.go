package main

// This test holds the metrics to the rules of client_golang.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The metrics pass client_golang's lint.
func TestMetricsLint(t *testing.T) {
	m := newMetrics(metricsTargets{"/unused.prom"}, true, eventLog{})
	m.probes.WithLabelValues("istio", "ready").Inc()
	m.waited.WithLabelValues("istio").Set(1)
	m.waiting.WithLabelValues("istio").Set(0)
	m.forwardedSignal(15)
	m.quits.WithLabelValues("istio", "accepted").Inc()
	m.quitting.WithLabelValues("istio").Set(1)
	m.exited(0, time.Second)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(m.registry); err != nil || n < 11 {
		t.Errorf("%d metrics, %v; want all of them", n, err)
	}
}

// A name is no address: it would be resolved before anything that ends a wait.
func TestMetricsAddresses(t *testing.T) {
	for _, good := range []string{":9102", "127.0.0.1:9102", "[::1]:9102", "[fe80::1%eth0]:9102", "localhost:9102", "LocalHost:9102", "0.0.0.0:1, /x.prom"} {
		if err := new(metricsTargets).Decode(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, name := range []string{"db:9102", "metrics.example:9102", "localhost.:9102", "10.1:9102"} {
		const want = "cannot use item 2: it has a host name: write an IP address, such as 127.0.0.1:9102, or :9102"
		if err := new(metricsTargets).Decode("/x.prom," + name); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for addr, want := range map[string]string{"LocalHost:1": "127.0.0.1:1", ":1": ":1", "[fe80::1%eth0]:1": "[fe80::1%eth0]:1"} {
		if got := withoutName(addr); got != want {
			t.Errorf("%s: listens on %s, want %s", addr, got, want)
		}
	}
}

// A file that could not be written in time is written again once the first write has
// returned, and until then each that is not written is a warning.
func TestMetricsWriteThatReturnsLate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.prom")
	var log strings.Builder
	m := newMetrics(metricsTargets{file}, true, newLog(&log, settings{}))
	slow := make(chan struct{})
	m.last = fileWrite{"/slow/x.prom", slow}
	m.write()
	_, err := os.Stat(file)
	want := "cannot write metrics to " + file + ": no answer yet from the file system of /slow/x.prom"
	if !m.isHeld() || err == nil || !strings.Contains(log.String(), want) {
		t.Errorf("while it is held: %v, %v, %s", m.isHeld(), err, &log)
	}
	close(slow)
	m.write()
	if _, err := os.Stat(file); m.isHeld() || err != nil {
		t.Errorf("afterwards: %v, %v", m.isHeld(), err)
	}
}
