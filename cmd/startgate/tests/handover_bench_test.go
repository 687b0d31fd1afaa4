//go:build linux

package tests

// Benchmark: how soon after readiness the application starts.

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// beforeReady are what the sidecar does until it is ready: it refuses connections, or
// answers 503.
var beforeReady = []struct {
	name    string
	listens bool
}{{"refused", false}, {"503", true}}

// handover is one start of an application behind a wrapper.
type handover struct {
	delay     time.Duration // from when the sidecar is ready until the application starts
	requests  int           // that the sidecar had
	cpu, wall time.Duration // of the wrapper and its children, and of the application
}

var errEarly = errors.New("the application starts before the sidecar is ready")

// handOver starts testdata/stamp.c beside a sidecar at this address that is ready
// after some time.
func (w wrapper) handOver(b *testing.B, addr string, listens bool, after time.Duration) (s handover, err error) {
	sidecar := newSidecar(b, addr)
	defer sidecar.listener.Close()
	if listens {
		sidecar.listen()
	}
	p := start(b, w.command(sidecar, program(b, "stamp")))
	time.Sleep(after)
	ready := sidecar.getReady(0)
	if !listens {
		sidecar.listen()
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.kill()
		return s, fmt.Errorf("the application has not started %v after the sidecar is ready", patience)
	}
	if code := p.code(); code != 0 {
		return s, fmt.Errorf("exit code is %d\n%s", code, p)
	}
	s.wall = p.took
	s.cpu = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	s.requests = int(sidecar.asked.Load())
	words := strings.Fields(p.out.String())
	if len(words) == 0 {
		return s, fmt.Errorf("the application does not start\n%s", p)
	}
	at, err := strconv.ParseInt(words[len(words)-1], 10, 64)
	if err != nil {
		return s, err
	}
	if s.delay = time.Unix(0, at).Sub(ready); s.delay < 0 {
		return s, errEarly
	}
	return s, nil
}

// BenchmarkHandover reports how long after the sidecar could first have answered
// that it is ready the application executes its first instruction, and how many
// requests the sidecar had by then. A round is 50 starts, one every 120 ms, beside
// sidecars that take 2 to 2.5 seconds, but fewer of a wrapper that would not leave
// half of a core idle. The p99 of fewer than 100 starts is the worst: -benchtime=4x
// makes four rounds.
func BenchmarkHandover(b *testing.B) {
	program(b, "stamp") // or the benchmark is skipped
	for _, before := range beforeReady {
		b.Run(before.name, func(b *testing.B) {
			beside(b, func(b *testing.B, w wrapper) {
				first, err := w.handOver(b, "", before.listens, time.Second/2)
				if err != nil {
					w.cannot(b, err.Error())
				}
				every := max(120*time.Millisecond, 2*first.cpu)
				var delays []time.Duration
				requests := 0
				for b.Loop() {
					for _, s := range w.round(b, before.listens, every) {
						delays = append(delays, s.delay)
						requests += s.requests
					}
				}
				reportTimes(b, delays, time.Millisecond, "ms")
				b.ReportMetric(float64(requests)/float64(len(delays)), "requests")
				b.ReportMetric(float64(len(delays)), "starts")
				b.ReportMetric(0, "ns/op") // is how long the sidecars take
				cell("from readiness to the application, "+before.name+": median, p99", w.name, "%.0f, %.0f ms", milliseconds(percentile(delays, 50)), milliseconds(percentile(delays, 99)))
				cell("requests until ready, "+before.name+", in 2 to 2.5 s", w.name, "%.0f", float64(requests)/float64(len(delays)))
			}, gateWith("startgate", "WAIT_FOR={url}"))
		})
	}
}

// round starts applications for six seconds, and returns what came of each.
func (w wrapper) round(b *testing.B, listens bool, every time.Duration) []handover {
	starts := max(5, int(6*time.Second/every))
	all, errs := make([]handover, starts), make([]error, starts)
	var running sync.WaitGroup
	for i := range all {
		running.Go(func() {
			time.Sleep(time.Duration(i) * every)
			all[i], errs[i] = w.handOver(b, "", listens, readyAt(i*53%starts, starts))
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		w.cannot(b, err.Error())
	}
	return all
}

// percentile sorts the times and returns the one that so many percent do not exceed.
func percentile(took []time.Duration, percent int) time.Duration {
	slices.Sort(took)
	return took[(len(took)*percent+99)/100-1]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// reportTimes reports the median and the 99th percentile.
func reportTimes(b *testing.B, took []time.Duration, unit time.Duration, suffix string) {
	b.ReportMetric(float64(percentile(took, 50))/float64(unit), "median_"+suffix)
	b.ReportMetric(float64(percentile(took, 99))/float64(unit), "p99_"+suffix)
}
