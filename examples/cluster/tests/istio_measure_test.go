package tests

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// start is one start of an application beside its proxy.
type start struct {
	delay time.Duration // from the proxy's workers to the application
	warns int           // lines of the agent's about a proxy that is not ready
}

// The application starts soon after its proxy's workers, never before, whichever port is
// asked. STARTS=12 measures that many starts of each kind, beside each other.
func TestIstioStarts(t *testing.T) {
	m := newMesh(t)
	starts, err := strconv.Atoi(os.Getenv("STARTS"))
	if err != nil {
		starts = 1
	}
	targets := map[string]string{"15020": "istio", "15021": ready21, "both": ready21 + ",istio"}
	measured := map[string][]start{}
	for i := range starts {
		for kind, target := range targets {
			work := script("echo the application starts; redis-cli -e -h " + m.redis + " ping")
			m.create(m.app(fmt.Sprintf("p-%s-%d", kind, i), work, settings("STARTGATE_WAIT_FOR="+target), proxy(nil, "ENVOY_INIT=2s", "ENVOY_LISTEN=20ms")))
		}
		for kind := range targets {
			pod := fmt.Sprintf("p-%s-%d", kind, i)
			if end := m.waitForEnds(pod, "app", 1)[0]; end.ExitCode != 0 {
				t.Errorf("%s ended with %d:\n%s", pod, end.ExitCode, m.log(pod, "app"))
			}
			measured[kind] = append(measured[kind], m.measure(pod))
			m.kubectl("delete", "pod", pod, "--wait=false", "--grace-period=1")
		}
		for kind := range targets {
			m.waitUntilGone(fmt.Sprintf("p-%s-%d", kind, i))
		}
	}
	for kind, starts := range measured {
		delays := sorted(starts, func(s start) time.Duration { return s.delay })
		warns := sorted(starts, func(s start) int { return s.warns })
		t.Logf("%s: %d starts; workers to application: median %v, max %v, all %v; NOT ready lines: median %d, max %d", kind, len(starts),
			delays[len(delays)/2], delays[len(delays)-1], delays, warns[len(warns)/2], warns[len(warns)-1])
		if delays[0] < 0 {
			t.Errorf("%s: the application started %v before the proxy's workers", kind, -delays[0])
		}
	}
}

func sorted[T int | time.Duration](starts []start, f func(start) T) (all []T) {
	for _, start := range starts {
		all = append(all, f(start))
	}
	slices.Sort(all)
	return all
}

// measure reads the two logs of a pod, by the times at which containerd got the lines.
func (m mesh) measure(pod string) start {
	m.Helper()
	proxy, app := m.timestamped(pod, "istio-proxy"), m.timestamped(pod, "app")
	delay := timeOf(m, app, "the application starts").Sub(timeOf(m, proxy, "workers started")).Round(time.Millisecond)
	if delay > 100*time.Millisecond {
		m.Logf("%s after %v:\n%s\n%s", pod, delay, app, lastLine(proxy, "workers started"))
	}
	return start{delay, strings.Count(proxy, "NOT ready")}
}

func (m mesh) timestamped(pod, container string) string {
	m.Helper()
	text, err := m.logs(pod, corev1.PodLogOptions{Container: container, Timestamps: true})
	if err != nil {
		m.Fatal(err)
	}
	return text
}

// timeOf returns the time of the line that has this text.
func timeOf(m mesh, log, text string) time.Time {
	m.Helper()
	stamp, _, _ := strings.Cut(lastLine(log, text), " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		m.Fatalf("no time of %q: %v\n%s", text, err, log)
	}
	return at
}
