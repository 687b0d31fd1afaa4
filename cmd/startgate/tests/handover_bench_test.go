//go:build linux

package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// stamp is an application that says when it began.
const stamp = `
#include <stdio.h>
#include <time.h>
int main(void) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	printf("%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
	return 0;
}`

// buildStamp compiles it, static where that is possible: the time that a dynamic
// linker takes is not the wrapper's.
var buildStamp = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(filepath.Dir(binary), "stamp")
	for _, how := range []string{"-static", "-O1"} {
		cmd := exec.Command("cc", how, "-x", "c", "-o", path, "-")
		cmd.Stdin = strings.NewReader(stamp)
		if out, failed := cmd.CombinedOutput(); failed != nil {
			err = fmt.Errorf("cannot compile: %w\n%s", failed, out)
			continue
		}
		return path, nil
	}
	return "", err
})

func stampPath(b *testing.B) string {
	b.Helper()
	need(b, "cc")
	path, err := buildStamp()
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// befores are what the sidecar does until it is ready: it refuses connections, or
// answers 503.
var befores = []struct {
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

// handOver starts an application beside a sidecar that is ready after some time.
func (w wrapper) handOver(b *testing.B, app string, port int, listens bool, after time.Duration) (s handover, err error) {
	sidecar, err := newStandIn(port)
	if err != nil {
		return s, err
	}
	defer sidecar.stop()
	if listens {
		if err := sidecar.listen(); err != nil {
			return s, err
		}
	}
	ctx, cancel := context.WithTimeout(b.Context(), after+patience)
	defer cancel()
	var out, log bytes.Buffer
	cmd := w.command(ctx, b, sidecar, app)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &log, time.Second
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return s, err
	}
	time.Sleep(after)
	ready, err := sidecar.getsReady(listens)
	waited := cmd.Wait()
	if ctx.Err() != nil {
		return s, fmt.Errorf("the application has not started %v after the sidecar is ready", patience)
	}
	if err == nil && waited != nil {
		err = fmt.Errorf("%w\n%s", waited, &log)
	}
	if err != nil {
		return s, err
	}
	s.wall = time.Since(began)
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.requests = int(sidecar.requests.Load())
	words := strings.Fields(out.String())
	if len(words) == 0 {
		return s, fmt.Errorf("the application does not start\n%s", &log)
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
	app := stampPath(b)
	for _, before := range befores {
		b.Run(before.name, func(b *testing.B) {
			beside(b, func(b *testing.B, w wrapper) {
				first, err := w.handOver(b, app, 0, before.listens, time.Second/2)
				if err != nil {
					w.cannot(b, err.Error())
				}
				every := max(120*time.Millisecond, 2*first.cpu)
				var delays []time.Duration
				requests := 0
				for b.Loop() {
					for _, s := range w.round(b, app, before.listens, every) {
						delays = append(delays, s.delay)
						requests += s.requests
					}
				}
				reportTimes(b, delays, time.Millisecond, "ms")
				b.ReportMetric(float64(requests)/float64(len(delays)), "requests")
				b.ReportMetric(float64(len(delays)), "starts")
				b.ReportMetric(0, "ns/op") // is how long the sidecars take
			}, gateWith("startgate", "WAIT_FOR={url}"))
		})
	}
}

// round starts applications for six seconds, and returns what came of each.
func (w wrapper) round(b *testing.B, app string, listens bool, every time.Duration) []handover {
	starts := max(5, int(6*time.Second/every))
	all, errs := make([]handover, starts), make([]error, starts)
	var running sync.WaitGroup
	for i := range all {
		running.Go(func() {
			time.Sleep(time.Duration(i) * every)
			all[i], errs[i] = w.handOver(b, app, 0, listens, readyAt(i*53%starts, starts))
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

// reportTimes reports the median and the 99th percentile.
func reportTimes(b *testing.B, took []time.Duration, unit time.Duration, suffix string) {
	b.ReportMetric(float64(percentile(took, 50))/float64(unit), "median_"+suffix)
	b.ReportMetric(float64(percentile(took, 99))/float64(unit), "p99_"+suffix)
}
