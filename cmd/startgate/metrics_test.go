package main

// This test holds the metrics to the rules of client_golang.

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/startgate/startgate/wait"
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
	m.files.last = fileWrite{"/slow/x.prom", slow}
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

// While startgate waits, the files are written after the first answer and then at intervals,
// and what follows the wait is written after that.
func TestMetricsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "x.prom")
		m := newMetrics(metricsTargets{file}, false, newLog(t.Output(), settings{}))
		target := wait.Target{Name: "istio"}
		m.waitingFor(target)
		var changes []time.Duration
		before := ""
		for waited := time.Duration(0); waited < 100*time.Second; waited += time.Second {
			m.probed(wait.Event{Target: target, Answer: wait.Answer{Outcome: wait.NotReady}, Waited: waited})
			<-m.files.periodic
			if text, err := os.ReadFile(file); err != nil {
				t.Fatal(err)
			} else if string(text) != before {
				changes, before = append(changes, waited), string(text)
			}
			time.Sleep(time.Second)
		}
		if want := []time.Duration{0, 30 * time.Second, 60 * time.Second, 90 * time.Second}; !slices.Equal(changes, want) {
			t.Errorf("the file was written after %v, want %v", changes, want)
		}
		for _, want := range []string{`startgate_waiting{target="istio"} 1`, `startgate_wait_seconds{target="istio"} 90`, "startgate_handover_timestamp_seconds 0\n"} {
			if !strings.Contains(before, want) {
				t.Errorf("while it waits, the file has no %s:\n%s", want, before)
			}
		}
	})
}

// A write that does not return delays neither the probes nor the last write, and is one
// warning.
func TestMetricsWriteThatHangs(t *testing.T) {
	const file = "/held/x.prom"
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		m := newMetrics(metricsTargets{file}, false, newLog(&log, settings{}))
		target := wait.Target{Name: "istio"}
		slow := make(chan struct{})
		m.files.last = fileWrite{file, slow} // a write that does not return
		began := time.Now()
		for range 3 {
			m.probed(wait.Event{Target: target, Answer: wait.Answer{Outcome: wait.NotReady}})
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the probes were delayed by %v", took)
		}
		m.write()
		if took := time.Since(began); took > filePatience || !m.isHeld() {
			t.Errorf("the last write took %v; held: %v", took, m.isHeld())
		}
		if n := strings.Count(log.String(), "no answer yet from the file system"); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, &log)
		}
		close(slow)
	})
}
