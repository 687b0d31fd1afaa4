package main

// This test holds the metrics to the rules of client_golang.

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The metrics pass client_golang's lint.
func TestMetricsLint(t *testing.T) {
	m := newMetrics(metricsTargets{"/unused.prom"}, true, nil)
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
