package tests

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The questions that tell apart why a proxy is not ready.
var questions = []struct {
	port int
	path string
}{
	{15020, "/healthz/ready"},
	{15021, "/healthz/ready"},
	{15000, "/ready"},
	{15000, "/server_info"},
	{15000, "/stats?usedonly&filter=" + "%5E(cluster_manager%5C.cds%7Clistener_manager%5C.lds)%5C.(update_success%7Cupdate_rejected)%24"},
}

// What the agent and Envoy answer while they are not ready, for each reason, and what
// startgate makes of it. The agent says 503 without a word; Envoy's counters tell.
func TestIstioNotReady(t *testing.T) {
	const (
		refused       = "refused"
		accepted      = "lds.update_success"
		preInitialize = "PRE_INITIALIZING"
	)
	for name, test := range map[string]struct {
		proxy   func(*corev1.Pod)
		answers []string // each has this
	}{
		"Envoy is not up": {
			proxy(nil, "ENVOY_BOOT=1h"),
			[]string{"503", refused, refused, refused, refused},
		},
		"no configuration": {
			proxy(map[string]any{"discoveryAddress": "istiod.istio-system.svc:1"}),
			[]string{"503", refused, "503 Service Unavailable\n" + preInitialize, preInitialize, "200 OK\n"},
		},
		"configuration rejected": {
			proxy(nil, "ENVOY_REJECT=true"),
			[]string{"503", "503", "200 OK\nLIVE", "LIVE", "lds.update_rejected: "},
		},
		"initializing": {
			proxy(nil, "ENVOY_INIT=1h"),
			[]string{"503", refused, "503 Service Unavailable\nINITIALIZING", "INITIALIZING", accepted},
		},
		"ready": {
			proxy(nil),
			[]string{"200", "200", "200 OK\nLIVE", "LIVE", accepted},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			pod := m.create(m.app("pod", test.proxy, settings("STARTGATE_TIMEOUT=20s", "STARTGATE_SUPERVISE=true")))
			if name == "ready" {
				m.checkServes(pod)
			} else {
				end := m.waitForEnds(pod, "app", 1)[0]
				t.Logf("code %d: %s\n%s", end.ExitCode, end.Message, lastLine(m.log(pod, "istio-proxy"), "NOT ready"))
			}
			for i, question := range questions {
				answer := m.ask(pod, "istio-proxy", question.port, question.path)
				t.Logf("%d%s\n%s", question.port, question.path, answer)
				if !strings.Contains(answer, test.answers[i]) {
					t.Errorf("%d%s answers %q, want %q", question.port, question.path, answer, test.answers[i])
				}
			}
		})
	}
}

// lastLine returns the last line that has this text.
func lastLine(log, text string) (last string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			last = line
		}
	}
	return last
}
