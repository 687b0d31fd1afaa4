package tests

// That each line of the log says whose it is, what it is about, and the rest by its keys.

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// listedEvents returns the events in the README's table.
func listedEvents(t *testing.T) (names []string) {
	t.Helper()
	_, table, _ := strings.Cut(markdown.Read(t, readmeFile), "<!-- events -->")
	table, _, _ = strings.Cut(table, "<!-- /events -->")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		names = append(names, row[1])
	}
	return names
}

// eventKeys are the keys that a line of an event has at least, besides those of every line.
var eventKeys = map[string][]string{
	"waiting":         {"target", "timeout_seconds"},
	"answer_changed":  {"target", "answer", "elapsed_seconds"},
	"still_waiting":   {"target", "answer", "elapsed_seconds"},
	"ready":           {"target", "answer", "elapsed_seconds"},
	"skipped":         {"target"},
	"starting":        {"elapsed_seconds", "mode", "why"},
	"gave_up":         {"target", "answer", "elapsed_seconds", "docs"},
	"stopped":         {"target", "answer", "elapsed_seconds", "signal", "code", "docs"},
	"failed":          {"code", "docs"},
	"exited":          {"code", "elapsed_seconds"},
	"quit_waiting":    {"target"},
	"quit_accepted":   {"target", "elapsed_seconds"},
	"quit_gone":       {"target", "answer", "elapsed_seconds"},
	"quit_rejected":   {"target", "answer", "elapsed_seconds", "docs"},
	"quit_unanswered": {"target", "answer", "elapsed_seconds", "docs"},
	"quit_never_seen": {"target", "answer", "elapsed_seconds", "docs"},
	"quit_skipped":    {"target", "code"},
	"quit_stopped":    {"target", "signal"},
	"warning":         {},
	"probe":           {"target", "answer", "outcome"},
	"installed":       {},
}

// Each line of these runs is one of the listed events, with its keys, and each of the events is
// in a line.
func TestEvents(t *testing.T) {
	t.Parallel()
	listed, seen := listedEvents(t), map[string]bool{
		"released": true, // the test of --release sees it
	}
	for _, log := range runsOfAllEvents(t) {
		for line := range strings.Lines(log) {
			seen[checkLine(t, listed, line)] = true
		}
	}
	for _, name := range listed {
		if !seen[name] {
			t.Errorf("no run has a line of %s", name)
		}
	}
}

// checkLine checks one line of the log, and returns its event.
func checkLine(t *testing.T, listed []string, line string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		t.Errorf("%v: %s", err, line)
		return ""
	}
	event, _ := object["event"].(string)
	for _, key := range slices.Concat([]string{"time", "severity", "message"}, eventKeys[event]) {
		if object[key] == nil {
			t.Errorf("no %s in %s", key, line)
		}
	}
	message, _ := object["message"].(string)
	if hint, ok := object["hint"].(string); ok && strings.Contains(message, hint) || strings.Contains(message, "\n") {
		t.Errorf("the message is long: %s", line)
	}
	if object["logger"] != "startgate" || !slices.Contains(listed, event) {
		t.Errorf("not startgate's, or its event is not listed: %s", line)
	}
	return event
}

// runsOfAllEvents returns the logs of runs that have lines of all events.
func runsOfAllEvents(t *testing.T) (logs []string) {
	t.Helper()
	run := func(settings []string, program ...string) *process {
		return startGate(t, append(settings, "LOG_FORMAT=json", "QUIT_TIMEOUT=1s"), program...)
	}
	refuses, hangs := newSidecar(t, ""), newSidecar(t, "")
	refuses.quit, hangs.quit = status(404, ""), hang
	refuses.listen()
	hangs.listen()
	quits := startSidecar(t, "")
	missing, quit := "WAIT_FOR=file:///missing", "QUIT="+quits.url()
	for _, p := range []*process{
		run([]string{"WAIT_FOR=" + startReady(t, "").url(), quit, "LOG_LEVEL=debug"}, "true"), // quit_accepted
		run([]string{missing, "TIMEOUT=1500ms"}, "true"),
		run([]string{missing, "TIMEOUT=100ms", "ON_TIMEOUT=start"}, "true"),
		run([]string{"SIDECAR_STATUS="}, "true"),
		run([]string{"TIMEOUT=5", "COLOUR=red"}, "true"),
		run([]string{"WAIT_FOR=none"}, "./missing"),
		run([]string{"WAIT_FOR=none", "QUIT=istio", injectedStatus, "TIMEOUT=2s"}, "./missing"),
		run([]string{"WAIT_FOR=none", "QUIT_ON=success", quit}, "false"),
		run([]string{"WAIT_FOR=none", "QUIT=" + refuses.url()}, "true"),
		run([]string{"WAIT_FOR=none", "QUIT=" + hangs.url()}, "true"),
		run([]string{"WAIT_FOR=none", "QUIT=http://127.0.0.1:1"}, "true"),
		run([]string{"WAIT_FOR=none", "QUIT=istio"}, "true"), // with a warning of several lines
	} {
		p.end()
		logs = append(logs, p.log.String())
	}
	installs := runToEnd(t, command([]string{"LOG_FORMAT=json"}, binary, "--install", t.TempDir()))
	logs = append(logs, installs.log.String())
	stopped := run([]string{missing}, "true")
	stopped.untilLog("answer_changed")
	stopped.send(syscall.SIGTERM)
	stopped.ends(143)
	asking := newSidecar(t, "")
	asking.quit = hang
	asking.listen()
	quitting := startGate(t, []string{"LOG_FORMAT=json", "WAIT_FOR=none", "QUIT=" + asking.url(), "QUIT_TIMEOUT=10m"}, "true")
	eventually(quitting, "the request", func() bool { return len(asking.quitRequests()) > 0 })
	quitting.send(syscall.SIGTERM)
	quitting.ends(0)
	ready := startReady(t, "")
	gone := run([]string{"WAIT_FOR=" + ready.url(), "QUIT=" + ready.url()}, "sh", "-c", "echo started; read go")
	gone.untilOut("started")
	ready.refuse()
	gone.say("go")
	gone.ends(0)
	return append(logs, stopped.log.String(), quitting.log.String(), gone.log.String())
}
