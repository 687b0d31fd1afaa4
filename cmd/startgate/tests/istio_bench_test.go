//go:build linux

package tests

// Benchmark: how soon after Istio's agent is ready the application starts.

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// BenchmarkHandoverIstio reports how long after Istio's agent is ready the
// application starts, and how many requests the agent had by then, as a mean and at
// most. Connections to the agent are refused for half a second, then it answers 503;
// Envoy's health port, at which startgate knocks, listens just when the agent gets
// ready, or a lead before. A round is 100 starts of date(1), one every 150 ms.
func BenchmarkHandoverIstio(b *testing.B) {
	needRoot(b)
	need(b, "date")
	for _, test := range leads {
		b.Run("lead="+test.lead.String(), func(b *testing.B) {
			const starts, every = 100, 150 * time.Millisecond
			var delays []time.Duration
			sum, most := 0, 0
			for b.Loop() {
				var mu sync.Mutex
				var running sync.WaitGroup
				for i := range starts {
					running.Go(func() {
						time.Sleep(time.Duration(i) * every)
						enterNetwork(b)
						s := script{up: 500 * time.Millisecond, ready: readyAt(i*53%starts, starts), lead: test.lead}
						_, delay, requests := s.play(b)
						mu.Lock()
						defer mu.Unlock()
						delays = append(delays, delay)
						sum += requests
						most = max(most, requests)
					})
				}
				running.Wait()
			}
			if len(delays) == 0 {
				b.Fatal("no application started")
			}
			reportTimes(b, delays, time.Millisecond, "ms")
			b.ReportMetric(float64(sum)/float64(len(delays)), "requests")
			b.ReportMetric(float64(most), "most_requests")
			b.ReportMetric(0, "ns/op") // is how long the sidecars take
			listens := "at that moment"
			if test.lead > 0 {
				listens = fmt.Sprintf("%d ms before", test.lead.Milliseconds())
			}
			cell(b, "from the readiness of `istio`, Envoy listens "+listens+": median, p99, most requests", "startgate", "%s, %d", medianAndP99(delays), most)
		})
	}
}
