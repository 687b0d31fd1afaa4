//go:build linux

package tests

// Benchmark: what startgate adds to the start of a program.

import (
	"os/exec"
	"testing"
	"time"
)

// BenchmarkStartup reports how long it takes until true(1) has ended, started alone
// and, in turn, through a wrapper, beside a sidecar that is ready.
func BenchmarkStartup(b *testing.B) {
	need(b, "true")
	program, err := exec.LookPath("true")
	if err != nil {
		b.Fatal(err)
	}
	nothing := wrapper{argv: []string{program}}
	beside(
		b, func(b *testing.B, w wrapper) {
			sidecar := startReady(b, "")
			run := func(w wrapper, app ...string) time.Duration {
				cmd := w.command(sidecar, app...)
				began := time.Now()
				if err := cmd.Run(); err != nil {
					w.cannot(b, err.Error())
				}
				return time.Since(began)
			}
			var alone, through []time.Duration
			for b.Loop() {
				alone = append(alone, run(nothing))
				through = append(through, run(w, program))
			}
			reportTimes(b, through, time.Millisecond, "ms")
			added := percentile(through, 50) - percentile(alone, 50)
			b.ReportMetric(float64(added)/float64(time.Millisecond), "added_ms")
			b.ReportMetric(0, "ns/op") // is the sum of both
			cell("added to the start of a program", w.name, "%.1f ms", milliseconds(added))
		},
		gateWith("startgate", "WAIT_FOR=none"),
		gateWith("startgate-supervise", "WAIT_FOR=none", "SUPERVISE=true"),
		gateWith("startgate-ready", "WAIT_FOR={url}"), // asks once
	)
}
