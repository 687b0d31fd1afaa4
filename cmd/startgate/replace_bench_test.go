//go:build linux

package main

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"
)

// readyServer returns the URL of a server that says yes at once.
func readyServer(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	return server.URL
}

// BenchmarkStartup reports how long it takes until /bin/true has ended, started
// directly and through startgate with a target that is ready at once.
func BenchmarkStartup(b *testing.B) {
	need(b, "/bin/true")
	env := []string{"STARTGATE_WAIT_FOR=" + readyServer(b)}
	took := func(argv ...string) time.Duration {
		cmd := exec.CommandContext(b.Context(), argv[0], argv[1:]...)
		cmd.Env = env
		began := time.Now()
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	var directly, through time.Duration
	for b.Loop() {
		directly += took("/bin/true")
		through += took(binary, "--", "/bin/true")
	}
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) / float64(b.N) }
	b.ReportMetric(0, "ns/op") // the sum of both says nothing
	b.ReportMetric(each(directly), "ms/directly")
	b.ReportMetric(each(through), "ms/through")
	b.ReportMetric(each(through-directly), "ms/added")
}
