//go:build linux

package tests

// Benchmarks: what waiting costs.

import (
	"testing"
	"time"
)

// BenchmarkWaitingCPU reports how much CPU time a wrapper takes in the first five seconds
// of its wait, its start, its children and the hand-over included: the mean of five.
func BenchmarkWaitingCPU(b *testing.B) {
	program(b, "stamp") // or the benchmark is skipped
	for _, before := range beforeReady {
		b.Run(before.name, func(b *testing.B) {
			measure := func(b *testing.B, w wrapper, addr, row string) {
				var all []handover
				for b.Loop() {
					all = append(all, w.fiveWaits(b, addr, before.listens)...)
				}
				cpu := milliseconds(cpuOf(all)) / float64(len(all))
				b.ReportMetric(cpu, "cpu_ms")
				b.ReportMetric(0, "ns/op")
				w.cell(b, row+before.does, "%.0f ms", cpu)
			}
			b.Run("startgate-istio", func(b *testing.B) { // knocks at two ports
				needRoot(b)
				measure(b, gateWith("startgate-istio"), agentAddr, "CPU time of a wait of 5 s for `istio`, ")
			})
			beside(b, func(b *testing.B, w wrapper) { measure(b, w, "", "CPU time of a wait of 5 s, ") }, gateWith("startgate", "WAIT_FOR={url}"))
		})
	}
}

// fiveWaits are waits of five seconds at the same time.
func (w wrapper) fiveWaits(b *testing.B, addr string, listens bool) []handover {
	return w.handOvers(b, 5, func(i int) (handover, error) {
		time.Sleep(time.Duration(i) * 111 * time.Millisecond)
		return w.handOver(b, addr, listens, 5*time.Second)
	})
}

// BenchmarkKnockingCPU reports the CPU time of a wait of five seconds for a refused port,
// beside a loop in C that knocks at the same pace, and how many times that it is.
func BenchmarkKnockingCPU(b *testing.B) {
	program(b, "stamp") // or the benchmark is skipped
	gate, loop := gateWith("startgate", "WAIT_FOR={url}"), wrapper{name: "loop", argv: []string{program(b, "knock")}}
	var ours, theirs []handover
	for b.Loop() {
		ours = append(ours, gate.fiveWaits(b, "", false)...)
		theirs = append(theirs, loop.fiveWaits(b, "", false)...)
	}
	b.ReportMetric(milliseconds(cpuOf(ours))/float64(len(ours)), "startgate_ms")
	b.ReportMetric(milliseconds(cpuOf(theirs))/float64(len(theirs)), "loop_ms")
	times := float64(cpuOf(ours)) / float64(cpuOf(theirs))
	b.ReportMetric(times, "times")
	b.ReportMetric(0, "ns/op")
	gate.cell(b, "CPU time of a wait of 5 s, refused connections: times that of a C loop of the same pace", "%.1f", times)
}
