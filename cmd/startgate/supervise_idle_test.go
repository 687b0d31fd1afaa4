//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// most are the limits of S13.
const (
	mostAnonymous = 2048 // kB
	mostServing   = 8192 // kB, when metrics were served, which S13 does not speak of
	mostWakeups   = 3.0  // a second
)

// usualProbes is what a sidecar is asked at most in a usual start.
const usualProbes = 20

// past is what startgate has done before it is idle: the settings, and what is done
// while the application runs.
type past func(testing.TB) (settings []string, running func())

var pasts = map[string]past{
	"no wait":      func(testing.TB) ([]string, func()) { return nil, func() {} },
	"after a wait": func(t testing.TB) ([]string, func()) { return asking(t, usualProbes), func() {} },
	"with metrics": func(t testing.TB) ([]string, func()) {
		listener := listenOn(t, "127.0.0.1:0")
		listener.Close() // and startgate listens there
		addr := listener.Addr().String()
		return append(asking(t, usualProbes), "STARTGATE_METRICS="+addr), func() { scrapeOften(t, addr, 100) }
	},
}

// asking returns settings with which startgate asks n times before it starts.
func asking(t testing.TB, n int) []string {
	t.Helper()
	asked := 0
	listener := listenOn(t, "127.0.0.1:0")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < n { // one request at a time
			http.Error(w, strings.Repeat("not ready ", 50), http.StatusServiceUnavailable)
		}
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return []string{"STARTGATE_WAIT_FOR=http://" + listener.Addr().String(), "STARTGATE_BACKOFF_MAX=10ms"}
}

// scrapeOften asks for the metrics n times.
func scrapeOften(t testing.TB, addr string, n int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range n {
		answer, err := client.Get("http://" + addr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}

// idle returns startgate with this past, and an application that does nothing.
func idle(t testing.TB, before past) *init1 {
	t.Helper()
	settings, running := before(t)
	cmd := superviseCommand(t, application(t), "signals")
	cmd.Env = append(supervising(), settings...)
	i := begin(t, cmd)
	i.out.until(t, "ready")
	running()
	return i
}

// S13.
func TestSupervisingIsIdle(t *testing.T) {
	for name, before := range pasts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := idle(t, before)
			wakeups, anonymous := i.wakeups(), i.anonymous()
			t.Logf("%.1f context switches a second, RssAnon %d kB", wakeups, anonymous)
			if wakeups > mostWakeups {
				t.Errorf("%.1f context switches a second, want at most %v", wakeups, mostWakeups)
			}
			most := mostAnonymous
			if name == "with metrics" {
				most = mostServing
			}
			if anonymous > most {
				t.Errorf("RssAnon is %d kB, want at most %d", anonymous, most)
			}
		})
	}
}

// anonymous returns startgate's anonymous memory, in kB.
func (i *init1) anonymous() int {
	i.Helper()
	return i.sum(fmt.Sprintf("/proc/%d/status", i.pid()), "RssAnon")
}

// wakeups returns how often a second its threads are switched to, in the quietest
// of some spans of time: what happens once, such as returning memory, is no wake-up.
func (i *init1) wakeups() float64 {
	i.Helper()
	const span = 2 * time.Second
	switches := func() int { return i.sum(fmt.Sprintf("/proc/%d/task/*/status", i.pid()), "ctxt_switches") }
	for tries, least := 0, 0.0; ; tries++ {
		before := switches()
		time.Sleep(span)
		now := float64(switches()-before) / span.Seconds()
		if least = min(least, now); tries == 0 {
			least = now
		}
		if least <= mostWakeups || tries == 4 {
			return least
		}
	}
}

// sum adds up the numbers whose name ends so, in the files of a pattern.
func (i *init1) sum(pattern, name string) int {
	i.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		i.Fatalf("startgate is gone: %v\n%s", err, i.log)
	}
	sum := 0
	for _, file := range files {
		text, _ := os.ReadFile(file) // of a thread that may have ended
		for line := range strings.Lines(string(text)) {
			if key, value, _ := strings.Cut(line, ":"); strings.HasSuffix(key, name) {
				n, err := strconv.Atoi(strings.Fields(value)[0])
				if err != nil {
					i.Fatal(err)
				}
				sum += n
			}
		}
	}
	return sum
}

// BenchmarkSupervising reports how long a signal takes through startgate to the
// application and back to here, how many orphans it reaps a second, and what it
// takes while it is idle.
func BenchmarkSupervising(b *testing.B) {
	b.Run("forward", func(b *testing.B) {
		cmd := superviseCommand(b, application(b), "signals")
		r, w, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close()
		i := begin(b, cmd, w)
		w.Close()
		lines := bufio.NewReader(r)
		read := func() {
			if _, err := lines.ReadString('\n'); err != nil {
				b.Fatal(err)
			}
		}
		read()
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			i.send(unix.SIGUSR1)
			read()
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2])/float64(time.Microsecond), "median_us")
		b.ReportMetric(float64(took[len(took)*99/100])/float64(time.Microsecond), "p99_us")
	})
	b.Run("reap", func(b *testing.B) {
		const orphans = 1000
		var took time.Duration
		for b.Loop() {
			i := supervise(b, "orphans", strconv.Itoa(orphans), "0")
			began := time.Now()
			i.say("release")
			until(b, "all orphans to be reaped", func() bool { return len(childrenOf(b, i.pid())) == 1 })
			took += time.Since(began)
			i.say("end")
			i.ends(0)
		}
		b.ReportMetric(0, "ns/op") // includes begetting them
		b.ReportMetric(float64(orphans*b.N)/took.Seconds(), "reaped/s")
	})
	for name, before := range pasts {
		b.Run("idle "+name, func(b *testing.B) {
			for b.Loop() {
				i := idle(b, before)
				b.ReportMetric(i.wakeups(), "wakeups/s")
				b.ReportMetric(float64(i.anonymous()), "rss_anon_kB")
			}
			b.ReportMetric(0, "ns/op") // is how long it is looked at
		})
	}
}
