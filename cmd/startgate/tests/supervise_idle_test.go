//go:build linux

package tests

// S13: supervising takes little memory and hardly wakes up.

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mostWakeups is the limit of S13, a second.
const mostWakeups = 3.0

// history is what startgate has done before it is idle: the settings, and what is done
// while the application runs.
type history struct {
	name    string
	prepare func(testing.TB) (settings []string, running func())
	most    int // RssAnon, in kB
}

// histories end with one that S13 does not speak of: Go's heap is used up to 4 MB before
// anything is collected, and from then on the collector itself needs half of one.
var histories = []history{
	{"no wait", func(testing.TB) ([]string, func()) { return nil, func() {} }, 2048},
	{"after a wait", func(t testing.TB) ([]string, func()) { return asking(t, 20), func() {} }, 2048},
	{"after as many probes as in a minute", func(t testing.TB) ([]string, func()) { return asking(t, 120), func() {} }, 2560},
	{"with metrics", func(t testing.TB) ([]string, func()) {
		addr := freeAddr(t)
		return append(asking(t, 1), "METRICS="+addr), func() { scrapeOften(t, addr, 100) }
	}, 8192},
}

// asking returns settings with which startgate asks n times before it starts.
func asking(t testing.TB, n int) []string {
	t.Helper()
	s := newSidecar(t, "")
	s.answer = func(s *sidecar, conn net.Conn) {
		if s.asked.Load() < int64(n) { // one request at a time
			status(http.StatusServiceUnavailable, strings.Repeat("not ready ", 50))(s, conn)
			return
		}
		status(http.StatusOK, "")(s, conn)
	}
	s.listen()
	return s.settings()
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

// idle returns startgate with this history, and an application that does nothing.
func idle(t testing.TB, before history) *process {
	t.Helper()
	settings, running := before.prepare(t)
	p := startGate(t, append(slices.Clone(superviseSettings), settings...), program(t, "supervised"), "signals")
	p.untilOut("ready")
	running()
	return p
}

// S13: after each of the histories.
func TestSupervisingIsIdle(t *testing.T) {
	for _, before := range histories {
		t.Run(before.name, func(t *testing.T) {
			t.Parallel()
			p := idle(t, before)
			wakeups, anonymous := p.wakeups(), p.anonymous()
			t.Logf("%.1f context switches a second, RssAnon %d kB", wakeups, anonymous)
			if wakeups > mostWakeups {
				t.Errorf("%.1f context switches a second, want at most %v", wakeups, mostWakeups)
			}
			if anonymous > before.most {
				t.Errorf("RssAnon is %d kB, want at most %d", anonymous, before.most)
			}
		})
	}
}

// anonymous returns startgate's anonymous memory, in kB.
func (p *process) anonymous() int {
	p.Helper()
	return p.sum(fmt.Sprintf("/proc/%d/status", p.pid()), "RssAnon")
}

// wakeups returns how often a second its threads are switched to, in the quietest
// of some spans of time: what happens once, such as returning memory, is no wake-up.
func (p *process) wakeups() float64 {
	p.Helper()
	const span = 2 * time.Second
	switches := func() int { return p.sum(fmt.Sprintf("/proc/%d/task/*/status", p.pid()), "ctxt_switches") }
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
func (p *process) sum(pattern, name string) int {
	p.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		p.Fatalf("startgate is gone: %v", err)
	}
	sum := 0
	for _, file := range files {
		text, _ := os.ReadFile(file) // of a thread that may have ended
		for line := range strings.Lines(string(text)) {
			if key, value, _ := strings.Cut(line, ":"); strings.HasSuffix(key, name) {
				n, err := strconv.Atoi(strings.Fields(value)[0])
				if err != nil {
					p.Fatalf("%v", err)
				}
				sum += n
			}
		}
	}
	return sum
}
