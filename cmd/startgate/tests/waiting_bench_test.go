//go:build linux

package tests

// Benchmark: what waiting costs.

import (
	"testing"
	"time"
)

// BenchmarkWaitingCPU reports how much of a core a wrapper takes in the first five
// seconds of its wait, its start, its children and the hand-over included.
func BenchmarkWaitingCPU(b *testing.B) {
	program(b, "stamp") // or the benchmark is skipped
	for _, before := range beforeReady {
		b.Run(before.name, func(b *testing.B) {
			measure := func(b *testing.B, w wrapper, addr string) {
				var cpu, wall time.Duration
				for b.Loop() {
					s, err := w.handOver(b, addr, before.listens, 5*time.Second)
					if err != nil {
						w.cannot(b, err.Error())
					}
					cpu += s.cpu
					wall += s.wall
				}
				b.ReportMetric(100*float64(cpu)/float64(wall), "%core")
				b.ReportMetric(0, "ns/op")
				cell("CPU while waiting, in the first 5 s, "+before.name, w.name, "%.1f %%", 100*float64(cpu)/float64(wall))
			}
			b.Run("startgate-istio", func(b *testing.B) { // knocks at two ports
				enterNetwork(b)
				measure(b, gateWith("startgate-istio"), agentAddr)
			})
			beside(b, func(b *testing.B, w wrapper) { measure(b, w, "") }, gateWith("startgate", "WAIT_FOR={url}"))
		})
	}
}
