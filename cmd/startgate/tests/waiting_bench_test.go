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

// BenchmarkKnockingCPU reports the CPU time of a wait of five seconds for a refused port,
// beside a loop in C that knocks at the same pace, and how many times that it is.
func BenchmarkKnockingCPU(b *testing.B) {
	program(b, "stamp") // or the benchmark is skipped
	loop := wrapper{name: "loop", argv: []string{program(b, "knock")}}
	var ours, theirs time.Duration
	for b.Loop() {
		for _, w := range []struct {
			wrapper
			cpu *time.Duration
		}{{gateWith("startgate", "WAIT_FOR={url}"), &ours}, {loop, &theirs}} {
			s, err := w.handOver(b, "", false, 5*time.Second)
			if err != nil {
				b.Fatal(err)
			}
			*w.cpu += s.cpu
		}
	}
	b.ReportMetric(float64(ours.Microseconds())/1e3/float64(b.N), "startgate_ms")
	b.ReportMetric(float64(theirs.Microseconds())/1e3/float64(b.N), "loop_ms")
	b.ReportMetric(float64(ours)/float64(theirs), "times")
	b.ReportMetric(0, "ns/op")
}
