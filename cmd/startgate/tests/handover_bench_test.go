//go:build linux

package tests

// Benchmark: how soon after readiness the application starts.

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// beforeReady are what the sidecar does until it is ready.
var beforeReady = []struct {
	name, does string
	listens    bool
}{
	{"refused", "refused connections", false},
	{"503", "answers of 503", true},
}

// waiter is an application behind a wrapper, beside a sidecar that is not ready.
type waiter struct {
	sidecar *sidecar
	process *process
	listens bool // the sidecar answers, and does not refuse
}

// handover is one start of an application behind a wrapper.
type handover struct {
	delay    time.Duration // from when the sidecar is ready until the application starts
	requests int           // that the sidecar had
	cpu      time.Duration // of the wrapper and its children, and of the application
}

var errEarly = errors.New("the application starts before the sidecar is ready")

// wait starts testdata/stamp.c behind the wrapper, beside a sidecar at this address.
func (w wrapper) wait(b *testing.B, addr string, listens bool) *waiter {
	sidecar := newSidecar(b, addr)
	if listens {
		sidecar.listen()
	}
	return &waiter{sidecar, start(b, w.command(sidecar, program(b, "stamp"))), listens}
}

// handOver makes the sidecar ready, and waits for the application, which ends at once.
func (w *waiter) handOver() (h handover, err error) {
	defer w.sidecar.listener.Close()
	ready := w.sidecar.getReady(0)
	if !w.listens {
		w.sidecar.listen()
	}
	p := w.process
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.kill()
		return h, fmt.Errorf("the application has not started %v after the sidecar is ready", patience)
	}
	if code := p.code(); code != 0 {
		return h, fmt.Errorf("exit code is %d\n%s", code, p)
	}
	h.cpu = cpuTime(p.cmd.ProcessState)
	h.requests = int(w.sidecar.asked.Load())
	words := strings.Fields(p.out.String())
	if len(words) == 0 {
		return h, fmt.Errorf("the application does not start\n%s", p)
	}
	at, err := strconv.ParseInt(words[len(words)-1], 10, 64)
	if err != nil {
		return h, err
	}
	if h.delay = time.Unix(0, at).Sub(ready); h.delay < 0 {
		return h, errEarly
	}
	return h, nil
}

// handOver is the whole wait, beside a sidecar that is ready after some time.
func (w wrapper) handOver(b *testing.B, addr string, listens bool, after time.Duration) (handover, error) {
	if addr != "" {
		enterNetwork(b) // where nobody else has it
	}
	waiter := w.wait(b, addr, listens)
	time.Sleep(after)
	return waiter.handOver()
}

// handOvers hands over n times, each by a goroutine of its own.
func (w wrapper) handOvers(b *testing.B, n int, one func(i int) (handover, error)) []handover {
	all, errs := make([]handover, n), make([]error, n)
	var running sync.WaitGroup
	for i := range all {
		running.Go(func() { all[i], errs[i] = one(i) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			w.cannot(b, err.Error())
		}
	}
	return all
}

// BenchmarkHandover reports how long after the sidecar could first have answered
// that it is ready the application executes its first instruction, and how many
// requests the sidecar had by then. A round is 100 starts, one every 60 ms, beside
// sidecars that take 2 to 2.5 seconds, but fewer of a wrapper that would not leave
// half of a core idle. The p99 of fewer than 100 starts is the worst.
func BenchmarkHandover(b *testing.B) {
	program(b, "stamp") // or the benchmark is skipped
	for _, before := range beforeReady {
		b.Run(before.name, func(b *testing.B) {
			beside(b, func(b *testing.B, w wrapper) {
				row := "from readiness to the application, after " + before.does + ": median, p99"
				first, err := w.handOver(b, "", before.listens, time.Second/2)
				if errors.Is(err, errEarly) {
					w.cell(b, row, "does not wait")
				}
				if err != nil {
					w.cannot(b, err.Error())
				}
				every := max(60*time.Millisecond, 2*first.cpu)
				starts := min(100, max(5, int(12*time.Second/every)))
				var all []handover
				for b.Loop() {
					all = append(all, w.handOvers(b, starts, func(i int) (handover, error) {
						time.Sleep(time.Duration(i) * every)
						return w.handOver(b, "", before.listens, readyAt(i*53%starts, starts))
					})...)
				}
				delays := delaysOf(all)
				reportTimes(b, delays, time.Millisecond, "ms")
				requests := 0
				for _, h := range all {
					requests += h.requests
				}
				b.ReportMetric(float64(requests)/float64(len(all)), "requests")
				b.ReportMetric(float64(len(all)), "starts")
				b.ReportMetric(0, "ns/op") // is how long the sidecars take
				w.cell(b, row, "%s", medianAndP99(delays))
				w.cell(b, "requests until ready in 2 to 2.5 s, "+before.does, "%.0f", float64(requests)/float64(len(all)))
			}, gateWith("startgate", "WAIT_FOR={url}"))
		})
	}
}

func delaysOf(all []handover) (delays []time.Duration) {
	for _, h := range all {
		delays = append(delays, h.delay)
	}
	return delays
}

// cpuTime returns the CPU time of a process and its children.
func cpuTime(p *os.ProcessState) time.Duration { return p.UserTime() + p.SystemTime() }

func cpuOf(all []handover) (sum time.Duration) {
	for _, h := range all {
		sum += h.cpu
	}
	return sum
}

// percentile sorts the times and returns the one that so many percent do not exceed.
func percentile(took []time.Duration, percent int) time.Duration {
	slices.Sort(took)
	return took[(len(took)*percent+99)/100-1]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// medianAndP99 is a cell of the table.
func medianAndP99(took []time.Duration) string {
	return fmt.Sprintf("%.0f, %.0f ms", milliseconds(percentile(took, 50)), milliseconds(percentile(took, 99)))
}

// reportTimes reports the median and the 99th percentile.
func reportTimes(b *testing.B, took []time.Duration, unit time.Duration, suffix string) {
	b.ReportMetric(float64(percentile(took, 50))/float64(unit), "median_"+suffix)
	b.ReportMetric(float64(percentile(took, 99))/float64(unit), "p99_"+suffix)
}
