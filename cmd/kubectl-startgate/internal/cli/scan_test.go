package cli

import (
	"strings"
	"testing"
)

// TestScanEvents: events tell of starts that failed where the status no longer does.
func TestScanEvents(t *testing.T) {
	for fixture, want := range map[string]struct {
		later         func(*apiServer) map[string]any
		with, without string
	}{
		"startup-race": {lateRestart, "none 1 0", "none 0 0"},
		"hold-ran-out": {becomeReady, "hold, ran out 0 0", "hold 0 0"},
	} {
		t.Run(fixture, func(t *testing.T) {
			server := newAPIServer(t, fixture)
			want.later(server)
			out, errOut, _ := server.run(t, "scan")
			if got := rowOf(out); got != want.with || errOut != "" {
				t.Errorf("with events: %q, want %q\n%s", got, want.with, errOut)
			}
			server.allowed = []string{"pods"}
			out, errOut, code := server.run(t, "scan")
			if got := rowOf(out); got != want.without || errOut != "without events: cannot list events in shop: forbidden\n" || code != 0 {
				t.Errorf("without events: code %d, %q, want %q\n%s", code, got, want.without, errOut)
			}
		})
	}
}

// TestScanLate: an application that has run for long and is restarted then was no start that failed.
func TestScanLate(t *testing.T) {
	server := newAPIServer(t, "startup-race")
	server.allowed = []string{"pods"}
	pod := lateRestart(server)
	pod["conditions"].([]any)[0].(map[string]any)["lastTransitionTime"] = "2026-11-22T23:00:05Z"
	if out, _, _ := server.run(t, "scan"); rowOf(out) != "none 0 0" {
		t.Error(out)
	}
}

// TestScanPages: in pages of one object, it says the same.
func TestScanPages(t *testing.T) {
	server := newAPIServer(t, "startup-race", strings.ReplaceAll(deployment, "kind: Deployment", "kind: Pod"))
	lateRestart(server)
	whole, _, _ := server.run(t, "scan")
	asked := len(server.asked)
	pages, _, _ := server.run(t, "scan", "--chunk-size", "1")
	if whole != pages || len(server.asked) <= 2*asked {
		t.Errorf("%d requests, and in pages %d:\n%s%s", asked, len(server.asked)-asked, whole, pages)
	}
}

// lateRestart lets the application of a pod end after it has run for long, and returns the pod's status.
func lateRestart(server *apiServer) map[string]any {
	pod := server.objects["pods/web-7d4b9c-x2x7k"]["status"].(map[string]any)
	web := pod["containerStatuses"].([]any)[0].(map[string]any)
	ended := web["lastState"].(map[string]any)["terminated"].(map[string]any)
	ended["startedAt"], ended["finishedAt"] = "2026-11-22T10:42:00Z", "2026-11-22T23:00:00Z"
	return pod
}

// becomeReady makes all containers of a pod ready, and returns the pod's status.
func becomeReady(server *apiServer) map[string]any {
	pod := server.objects["pods/web-7d4b9c-x2x7k"]["status"].(map[string]any)
	for _, status := range pod["containerStatuses"].([]any) {
		status.(map[string]any)["ready"] = true
	}
	pod["conditions"] = []any{map[string]any{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T10:43:00Z"}}
	return pod
}

// rowOf returns what a scan says of the order, the early restarts and the Jobs that are kept in its only row.
func rowOf(out string) string {
	lines := strings.Split(out, "\n")
	if len(lines) < 2 {
		return ""
	}
	fields := strings.Fields(lines[1])
	return strings.Join(fields[4:], " ")
}
