//go:build linux

package tests

import (
	"testing"
	"time"
)

// BenchmarkWaitingCPU reports how much of a core a wrapper takes in the first five
// seconds of its wait, its start, its children and the hand-over included.
func BenchmarkWaitingCPU(b *testing.B) {
	app := stampPath(b)
	for _, before := range befores {
		b.Run(before.name, func(b *testing.B) {
			measure := func(b *testing.B, w wrapper, port int) {
				var cpu, wall time.Duration
				for b.Loop() {
					s, err := w.handOver(b, app, port, before.listens, 5*time.Second)
					if err != nil {
						w.cannot(b, err.Error())
					}
					cpu += s.cpu
					wall += s.wall
				}
				b.ReportMetric(100*float64(cpu)/float64(wall), "%core")
				b.ReportMetric(0, "ns/op")
			}
			b.Run("startgate-istio", func(b *testing.B) { // knocks at two ports
				enterNetwork(b)
				measure(b, gateWith(""), 15020)
			})
			beside(b, func(b *testing.B, w wrapper) { measure(b, w, 0) }, gateWith("startgate", "WAIT_FOR={url}"))
		})
	}
}
