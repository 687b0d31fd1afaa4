//go:build linux

package tests

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

// behind is an application behind a wrapper that is still there.
type behind struct {
	*init1
	lines *bufio.Reader
	out   *os.File
}

// supervises starts the application that tells its PID and the signals that it gets,
// and ends with its standard input.
func (w wrapper) supervises(b *testing.B, sidecar *standIn) *behind {
	b.Helper()
	r, out, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	b.Cleanup(func() { r.Close() })
	s := &behind{begin(b, w.command(b.Context(), b, sidecar, application(b), "terminal"), out), bufio.NewReader(r), r}
	b.Cleanup(func() { killTree(b, s.pid()) })
	return s
}

// started waits for the application, which must not have taken the wrapper's place.
func (s *behind) started(b *testing.B, w wrapper) {
	b.Helper()
	said, err := s.hears("pid ", patience)
	if err != nil {
		w.cannot(b, fmt.Sprintf("the application does not start: %v\n%s", err, s.log))
	}
	if said == strconv.Itoa(s.pid()) {
		w.cannot(b, "the application takes its place: there is nothing to measure")
	}
}

// hears reads up to a line with this beginning, and returns its next word.
func (s *behind) hears(beginning string, within time.Duration) (word string, err error) {
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
		s := w.supervises(b, readySidecar(b))
		s.started(b, w)
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			s.send(unix.SIGUSR1)
			if _, err := s.hears("signal 10 ", patience/4); err != nil {
				w.cannot(b, fmt.Sprintf("the signal does not arrive: %v", err))
			}
			took = append(took, time.Since(began))
		}
		reportTimes(b, took, time.Microsecond, "µs")
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "signals/s")
	}, supervisor())
}

// BenchmarkReap reports how many orphans a second a wrapper reaps, of 1,000 that end
// at once. It is PID 1 where this is run by root.
func BenchmarkReap(b *testing.B) {
	const orphans = 1000
	app := application(b)
	beside(b, func(b *testing.B, w wrapper) {
		sidecar := readySidecar(b)
		w.supervises(b, sidecar).started(b, w)
		var took time.Duration
		for b.Loop() {
			cmd := w.command(b.Context(), b, sidecar, app, "orphans", strconv.Itoa(orphans), "0")
			if os.Getuid() == 0 {
				asInit(cmd)
			}
			i := begin(b, cmd)
			i.out.until(b, "ready")
			if len(childrenOf(b, i.pid())) != 1+orphans {
				i.stdin.Close()
				w.cannot(b, "it does not adopt the orphans")
			}
			began := time.Now()
			i.say("release")
			for len(childrenOf(b, i.pid())) > 1 {
				if time.Since(began) > patience/4 {
					w.cannot(b, "it does not reap the orphans")
				}
				time.Sleep(100 * time.Microsecond)
			}
			took += time.Since(began)
			i.say("end")
			i.ends(0)
		}
		b.ReportMetric(float64(orphans*b.N)/took.Seconds(), "reaped/s")
		b.ReportMetric(0, "ns/op") // includes begetting them
	}, supervisor())
}

// BenchmarkAtRest reports what a wrapper takes while the application runs, after it
// has waited for two seconds: how often a second it is switched to, its anonymous
// memory, and all of its memory, of pages that others use too only its share.
func BenchmarkAtRest(b *testing.B) {
	beside(b, func(b *testing.B, w wrapper) {
		for b.Loop() {
			sidecar, err := newStandIn(0)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(sidecar.stop)
			if err := sidecar.listen(); err != nil {
				b.Fatal(err)
			}
			s := w.supervises(b, sidecar)
			time.Sleep(2 * time.Second)
			sidecar.ready.Store(true)
			s.started(b, w)
			b.ReportMetric(s.wakeups(), "wakeups/s")
			b.ReportMetric(float64(s.anonymous()), "rss_anon_kB")
			b.ReportMetric(float64(s.sum(fmt.Sprintf("/proc/%d/smaps_rollup", s.pid()), "Pss")), "pss_kB")
			s.stdin.Close() // ends the application
		}
		b.ReportMetric(0, "ns/op") // is how long it is looked at
	}, supervisor())
}
