//go:build linux

package tests

// Benchmark: a node that boots, with as many pods as the kubelet takes.

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	nodePods  = 110             // the kubelet's default of maxPods
	nodeStart = 3 * time.Second // in which all are started
	nodeReady = 5 * time.Second // from when on their sidecars get ready, in a span as long
)

// BenchmarkNode reports what 110 waits at the same time take together, each in a network
// of its own: the CPU time of all, their start and the hand-over included; the memory of
// all while they wait, of pages that several use only the shares; and how long after its
// sidecar is ready each application starts. The sidecars get ready one after the other, 5 to
// 10 seconds after the first start.
func BenchmarkNode(b *testing.B) {
	needRoot(b)
	program(b, "stamp") // or the benchmark is skipped
	for _, before := range beforeReady {
		b.Run(before.name, func(b *testing.B) {
			beside(b, func(b *testing.B, w wrapper) {
				first, err := w.handOver(b, "", before.listens, time.Second/2)
				if err != nil {
					w.cannot(b, err.Error())
				}
				if most := time.Duration(runtime.NumCPU()) * nodeReady / 2; nodePods*first.cpu > most {
					w.cannot(b, fmt.Sprintf("%d starts take more than %v of CPU time", nodePods, most))
				}
				for b.Loop() {
					all, memory := w.bootNode(b, before.listens)
					delays := delaysOf(all)
					reportTimes(b, delays, time.Millisecond, "ms")
					b.ReportMetric(cpuOf(all).Seconds(), "cpu_s")
					b.ReportMetric(float64(memory)/1000, "pss_MB")
					row := fmt.Sprintf("%d pods that wait, %s: ", nodePods, before.does)
					w.cell(b, row+"CPU time of all", "%.1f s", cpuOf(all).Seconds())
					w.cell(b, row+"memory of all", "%.0f MB", float64(memory)/1000)
					w.cell(b, row+"from readiness to the application: median, p99", "%s", medianAndP99(delays))
				}
				b.ReportMetric(0, "ns/op") // is how long the sidecars take
			}, gateWith("startgate", "WAIT_FOR={url}"))
		})
	}
}

// bootNode starts all pods, and returns what came of each, and their memory in kB just
// before the first sidecar is ready.
func (w wrapper) bootNode(b *testing.B, listens bool) (all []handover, memory int64) {
	var networks sync.WaitGroup
	networks.Add(nodePods)
	var kB atomic.Int64
	all = w.handOvers(b, nodePods, func(i int) (handover, error) {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := ownNetwork()
		networks.Done()
		if err != nil {
			return handover{}, err
		}
		networks.Wait()
		began := time.Now()
		time.Sleep(nodeStart * time.Duration(i) / nodePods)
		pod := w.wait(b, "", listens)
		time.Sleep(time.Until(began.Add(nodeReady - 500*time.Millisecond)))
		kB.Add(memoryOf(b, pod.process.pid()))
		time.Sleep(time.Until(began.Add(nodeReady + nodeReady*time.Duration(i*53%nodePods)/nodePods)))
		return pod.handOver()
	})
	return all, kB.Load()
}

// memoryOf returns the memory of a process and its children in kB, of pages that others use
// too only its share.
func memoryOf(t testing.TB, pid int) (kB int64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)) // of a child that may have ended
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	if fields := strings.Fields(rest); len(fields) > 0 {
		kB, _ = strconv.ParseInt(fields[0], 10, 64)
	}
	for _, child := range childrenOf(t, pid) {
		kB += memoryOf(t, child)
	}
	return kB
}
