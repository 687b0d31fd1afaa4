//go:build linux

package tests

// Benchmarks of supervising: signals, orphans, and what it takes at rest.

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// supervisor is startgate as these benchmarks measure it.
func supervisor() wrapper { return gateWith("startgate", "WAIT_FOR={url}", "SUPERVISE=true") }

// benchTarget is an application behind a wrapper that is still there.
type benchTarget struct {
	*process
	lines *bufio.Reader
	out   *os.File
}

// startBehind starts the application that prints its PID and the signals that it gets,
// and exits when its standard input is closed.
func (w wrapper) startBehind(b *testing.B, s *sidecar) *benchTarget {
	b.Helper()
	r, out, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	b.Cleanup(func() { r.Close() })
	cmd := w.command(s, program(b, "supervised"), "terminal")
	cmd.Stdout = out
	return &benchTarget{start(b, cmd), bufio.NewReader(r), r}
}

// started waits for the application, which must not have taken the wrapper's place.
func (s *benchTarget) started(b *testing.B, w wrapper) {
	b.Helper()
	said, err := s.hears("pid ", patience)
	if err != nil {
		w.cannot(b, fmt.Sprintf("the application does not start: %v\n%s", err, &s.log))
	}
	if said == strconv.Itoa(s.pid()) {
		w.cannot(b, "the application takes its place: there is nothing to measure")
	}
}

// hears reads up to a line with this beginning, and returns its next word.
func (s *benchTarget) hears(beginning string, within time.Duration) (word string, err error) {
	if err := s.out.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return "", err
		}
		if rest, ok := strings.CutPrefix(line, beginning); ok {
			return strings.Fields(rest)[0], nil
		}
	}
}

// BenchmarkForward reports how many signals a second a wrapper hands on, one after
// the other, and how long one takes through it to the application and back to here.
func BenchmarkForward(b *testing.B) {
	beside(b, func(b *testing.B, w wrapper) {
		s := w.startBehind(b, startReady(b, ""))
		s.started(b, w)
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			s.send(unix.SIGUSR1)
			if _, err := s.hears("signal 10 ", soon); err != nil {
				w.cannot(b, fmt.Sprintf("the signal does not arrive: %v", err))
			}
			took = append(took, time.Since(began))
		}
		reportTimes(b, took, time.Microsecond, "µs")
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "signals/s")
		w.cell(b, "to hand on a signal, median", "%d µs", percentile(took, 50).Microseconds())
	}, supervisor())
}

// BenchmarkReap reports how many orphans a second a wrapper reaps, of 1,000 that end
// at once. It is PID 1 where this is run by root.
func BenchmarkReap(b *testing.B) {
	const orphans = 1000
	app := program(b, "supervised")
	beside(b, func(b *testing.B, w wrapper) {
		sidecar := startReady(b, "")
		w.startBehind(b, sidecar).started(b, w)
		var took time.Duration
		for b.Loop() {
			cmd := w.command(sidecar, app, "orphans", strconv.Itoa(orphans), "0")
			if os.Getuid() == 0 {
				asPID1(cmd)
			}
			p := start(b, cmd)
			p.untilOut("ready")
			if len(childrenOf(b, p.pid())) != 1+orphans {
				p.stdin.Close()
				w.cannot(b, "it does not adopt the orphans")
			}
			began := time.Now()
			p.say("release")
			for len(childrenOf(b, p.pid())) > 1 {
				if time.Since(began) > soon {
					w.cannot(b, "it does not reap the orphans")
				}
				time.Sleep(100 * time.Microsecond)
			}
			took += time.Since(began)
			p.say("end")
			p.ends(0)
		}
		b.ReportMetric(float64(orphans*b.N)/took.Seconds(), "reaped/s")
		b.ReportMetric(0, "ns/op") // includes begetting them
		w.cell(b, "orphans reaped a second", "%.0f", float64(orphans*b.N)/took.Seconds())
	}, supervisor())
}

// BenchmarkAtRest reports what a wrapper takes while the application runs, after it
// has waited for two seconds: how often a second it is switched to, its anonymous
// memory, and all of its memory, of pages that others use too only its share.
func BenchmarkAtRest(b *testing.B) {
	beside(b, func(b *testing.B, w wrapper) {
		for b.Loop() {
			sidecar := startSidecar(b, "")
			s := w.startBehind(b, sidecar)
			time.Sleep(2 * time.Second)
			sidecar.getReady(0)
			s.started(b, w)
			b.ReportMetric(s.wakeups(), "wakeups/s")
			b.ReportMetric(float64(s.anonymous()), "rss_anon_kB")
			w.cell(b, "memory of its own (RssAnon), supervising", "%.1f MB", float64(s.anonymous())/1000)
			b.ReportMetric(float64(s.sum(fmt.Sprintf("/proc/%d/smaps_rollup", s.pid()), "Pss")), "pss_kB")
			s.stdin.Close() // ends the application
		}
		b.ReportMetric(0, "ns/op") // is how long it is looked at
	}, supervisor())
}
