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
// beside a loop in C that knocks at the same pace, and how many times that it is: as it is,
// and without what the start takes of it.
func BenchmarkKnockingCPU(b *testing.B) {
	stamp := program(b, "stamp") // or the benchmark is skipped
	gate, loop := gateWith("startgate", "WAIT_FOR={url}"), wrapper{name: "loop", argv: []string{program(b, "knock")}}
	var ours, theirs, start time.Duration
	n := time.Duration(0)
	for b.Loop() {
		ours += cpuOf(gate.fiveWaits(b, "", false))
		theirs += cpuOf(loop.fiveWaits(b, "", false))
		for range 5 {
			start += cpuTime(runToEnd(b, command([]string{"WAIT_FOR=none"}, binary, "--", stamp)).cmd.ProcessState)
		}
		n += 5
	}
	b.ReportMetric(milliseconds(ours/n), "startgate_ms")
	b.ReportMetric(milliseconds(start/n), "of_start_ms")
	b.ReportMetric(milliseconds(theirs/n), "loop_ms")
	times, waiting := float64(ours)/float64(theirs), float64(ours-start)/float64(theirs)
	b.ReportMetric(times, "times")
	b.ReportMetric(waiting, "times_waiting")
	b.ReportMetric(0, "ns/op")
	gate.cell(b, "CPU time of a wait of 5 s, refused connections: times that of a C loop of the same pace, and without the start", "%.1f, %.1f", times, waiting)
}
