//go:build linux

package tests

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mostWakeups is the limit of S13, a second.
const mostWakeups = 3.0

// past is what startgate has done before it is idle: the settings, and what is done
// while the application runs.
type past struct {
	name    string
	prepare func(testing.TB) (settings []string, running func())
	most    int // RssAnon, in kB
}

// pasts end with one that S13 does not speak of: Go's heap is used up to 4 MB before
// anything is collected, and from then on the collector itself needs half of one.
var pasts = []past{
	{"no wait", func(testing.TB) ([]string, func()) { return nil, func() {} }, 2048},
	{"after a wait", func(t testing.TB) ([]string, func()) { return asking(t, 20), func() {} }, 2048},
	{"after as many probes as in a minute", func(t testing.TB) ([]string, func()) { return asking(t, 120), func() {} }, 2560},
	{"with metrics", func(t testing.TB) ([]string, func()) {
		listener := listenOn(t, "127.0.0.1:0")
		listener.Close() // and startgate listens there
		addr := listener.Addr().String()
		return append(asking(t, 1), "STARTGATE_METRICS="+addr), func() { scrapeOften(t, addr, 100) }
	}, 8192},
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
	settings, running := before.prepare(t)
	cmd := superviseCommand(t, application(t), "signals")
	cmd.Env = append(supervising(), settings...)
	i := begin(t, cmd)
	i.out.until(t, "ready")
	running()
	return i
}

// S13.
func TestSupervisingIsIdle(t *testing.T) {
	for _, before := range pasts {
		t.Run(before.name, func(t *testing.T) {
			t.Parallel()
			i := idle(t, before)
			wakeups, anonymous := i.wakeups(), i.anonymous()
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
