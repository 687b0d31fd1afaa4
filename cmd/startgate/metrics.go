package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/startgate/startgate/exec"
	"github.com/startgate/startgate/wait"
)

// metrics counts for Prometheus. Without a setting it is nil, and its methods do
// nothing.
type metrics struct {
	log   eventLog
	files metricsFiles

	registry  *prometheus.Registry
	probes    *prometheus.CounterVec
	probing   prometheus.Histogram
	waited    *prometheus.GaugeVec
	waiting   *prometheus.GaugeVec
	handover  prometheus.Gauge
	run       prometheus.Gauge
	code      prometheus.Gauge
	forwarded *prometheus.CounterVec
	quitting  *prometheus.GaugeVec
	quits     *prometheus.CounterVec
}

// newMetrics begins to serve and to count, as the setting says. What cannot be done is
// logged, and left out.
func newMetrics(where metricsTargets, supervise bool, log eventLog) *metrics {
	if len(where) == 0 {
		return nil
	}
	m := &metrics{log: log, registry: prometheus.NewRegistry()}
	m.files = metricsFiles{log: log, registry: m.registry, warned: map[string]string{}}
	m.register(supervise)
	for _, target := range where {
		if strings.HasPrefix(target, "/") {
			m.files.names = append(m.files.names, target)
		} else {
			m.serve(target)
		}
	}
	return m
}

func (m *metrics) register(supervise bool) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "startgate", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "startgate", Name: name, Help: help}, labels)
		m.registry.MustRegister(g)
		return g
	}
	gauges("build_info", "The version of startgate; always 1.", "version", "goversion").
		WithLabelValues(version(), runtime.Version()).Set(1)
	m.probes = counter("probes_total", "Probes of a target, by their outcome.", "target", "outcome")
	m.probing = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "startgate", Name: "probe_duration_seconds", Help: "How long a probe took.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
	})
	m.registry.MustRegister(m.probing)
	m.waited = gauges("wait_seconds", "How long a target was waited for, so far or in all.", "target")
	m.waiting = gauges("waiting", "Whether a target is being waited for: 1, or 0.", "target")
	m.handover = gauges("handover_timestamp_seconds", "When the application was started, in seconds since 1970; 0 before.").WithLabelValues()
	if !supervise {
		return
	}
	m.run = gauges("app_run_seconds", "How long the application ran.").WithLabelValues()
	m.code = gauges("app_exit_code", "The exit code of the application once it has exited; -1 before.").WithLabelValues()
	m.code.Set(-1)
	m.forwarded = counter("signals_forwarded_total", "Signals forwarded to the application.", "signal")
	m.quitting = gauges("quit_seconds", "How long the shutdown request of a sidecar took.", "target")
	m.quits = counter("quits_total", "Shutdown requests to sidecars, by their outcome.", "target", "outcome")
}

// serve serves /metrics at addr until execve, or the end, closes the socket.
func (m *metrics) serve(addr string) {
	listener, err := net.Listen("tcp", withoutName(addr))
	if err != nil {
		m.log.warn(eventWarning, fmt.Sprintf("cannot serve metrics at %s: %v", addr, errnoOf(err)))
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(quietListener{listener}) }()
}

// withoutName returns addr with 127.0.0.1 in the place of localhost: an image built from
// scratch has no /etc/hosts, and a name server would be asked.
func withoutName(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !isLocalhost(host) {
		return addr
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// quietListener accepts connections whose writes raise no signal when the other side
// has hung up.
type quietListener struct{ net.Listener }

func (l quietListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return quietConn{conn}, nil
}

type quietConn struct{ net.Conn }

func (c quietConn) Write(text []byte) (int, error) { return quiet{c.Conn}.Write(text) }

// errnoOf returns why a system call failed, without the name of what it was about.
func errnoOf(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// write writes the files.
func (m *metrics) write() {
	if m != nil {
		m.files.write()
	}
}

func (m *metrics) waitingFor(target wait.Target) {
	if m != nil {
		m.waiting.WithLabelValues(target.Name).Set(1)
		m.waited.WithLabelValues(target.Name).Set(0)
	}
}

func (m *metrics) probed(e wait.Event) {
	if m == nil {
		return
	}
	m.probes.WithLabelValues(e.Target.Name, e.Answer.Outcome.String()).Inc()
	m.probing.Observe(e.Took.Seconds())
	m.waited.WithLabelValues(e.Target.Name).Set(e.Waited.Seconds())
	if e.Answer.Outcome != wait.Ready { // else the files are written soon, with all that is known then
		m.files.writePeriodically()
	}
}

func (m *metrics) waitedFor(target wait.Target, took time.Duration) {
	if m == nil {
		return
	}
	m.waited.WithLabelValues(target.Name).Set(took.Seconds())
	m.waiting.WithLabelValues(target.Name).Set(0)
	m.files.due = time.Time{} // the next target is written at once
}

func (m *metrics) started() {
	if m != nil {
		m.handover.SetToCurrentTime()
	}
}

// notStarted takes started back, when the program could not be run after all.
func (m *metrics) notStarted() {
	if m != nil {
		m.handover.Set(0)
	}
}

func (m *metrics) forwardedSignal(sig syscall.Signal) {
	if m != nil && m.forwarded != nil {
		m.forwarded.WithLabelValues(exec.SignalName(sig)).Inc()
	}
}

func (m *metrics) exited(code int, took time.Duration) {
	if m == nil || m.run == nil {
		return
	}
	m.run.Set(took.Seconds())
	m.code.Set(float64(code))
}

func (m *metrics) quit(target wait.Target, outcome wait.QuitOutcome, took time.Duration) {
	if m == nil {
		return
	}
	m.quits.WithLabelValues(target.Name, outcome.String()).Inc()
	m.quitting.WithLabelValues(target.Name).Set(took.Seconds())
}

// isHeld reports whether a write has not returned.
func (m *metrics) isHeld() bool { return m != nil && m.files.isHeld() }
