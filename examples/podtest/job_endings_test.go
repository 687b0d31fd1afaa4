//go:build linux

package podtest

// How a Job's pod ends, for each way the application or the sidecar can end: every cell
// of the table in jobs/README.md is seen to happen in a pod.

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// outcome is what has become of a pod.
type outcome struct {
	phase    string // Running: the application has exited, and the pod stays
	code     int    // exit code of the application's container, in its last try
	restarts int    // of that container
	sidecar  int    // exit code of the sidecar's container
	log      []string
	message  string // how the termination message begins; empty: there is none
	quit     quitRequest
}

// quitRequest is whether the sidecar was asked to shut down.
type quitRequest int

const (
	notAsked quitRequest = iota
	asked
	askedOrTERM // it gets TERM at the same time, so either may be first
)

// anyCode stands for the exit code of a try that was stopped at any point.
const anyCode = -1

// atLeast stands for a number of restarts that may be exceeded.
func atLeast(n int) int { return -n }

func TestJobEndings(t *testing.T) {
	needPods(t)
	for _, row := range endings {
		for policy, column := range map[string]struct {
			tableCell
			settings []string
		}{
			"Never":     {row.never, neverSettings},
			"OnFailure": {row.onFailure, onFailureSettings},
		} {
			t.Run(row.way+"/"+policy, func(t *testing.T) {
				t.Parallel()
				c := column.tableCell
				p := startPod(t, jobPod(policy, slices.Concat(column.settings, c.settings), c.app, c.sidecar))
				if c.do != nil {
					c.do(p)
				}
				p.checkOutcome(c.want)
			})
		}
	}
}

// checkOutcome waits until the pod has ended, or for a pod that stays until the
// application has exited, and checks what has become of it.
func (p *pod) checkOutcome(want outcome) {
	p.Helper()
	if want.phase == "Running" {
		p.waitForExit("app")
		time.Sleep(time.Second) // what is tested is that nothing happens
	} else {
		p.waitForEnd()
	}
	states := p.states()
	app, sidecar := states["app"], states["istio-proxy"]
	restarted := app.Restarts == want.restarts || want.restarts < 0 && app.Restarts >= -want.restarts
	if want.code == anyCode {
		want.code = app.ExitCode
	}
	if phase := p.phase(); phase != want.phase || app.ExitCode != want.code || !restarted || sidecar.ExitCode != want.sidecar {
		p.Errorf("the pod is %s, the application's code %d after %d restarts, the sidecar's code %d: want %+v",
			phase, app.ExitCode, app.Restarts, sidecar.ExitCode, want)
	}
	if got := p.wasAsked("istio-proxy"); want.quit != askedOrTERM && got != (want.quit == asked) {
		p.Errorf("the sidecar was asked to shut down: %t", got)
	}
	p.checkLog("app", want.log...)
	message, err := os.ReadFile(p.container("app").message)
	if err != nil || !strings.HasPrefix(string(message), want.message) || want.message == "" && len(message) > 0 {
		p.Errorf("the termination message is %q, want %q; %v", message, want.message, err)
	}
}

func TestJobEndingsInREADME(t *testing.T) {
	const begin, end = "<!-- ends -->\n\n", "\n<!-- /ends -->\n"
	text, err := os.ReadFile("jobs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), begin)
	got, _, closed := strings.Cut(rest, end)
	if !found || !closed || got != endingsTable() {
		t.Errorf("jobs/README.md should have\n%s%s%s", begin, endingsTable(), end)
	}
}

// endingsTable returns the table as Markdown.
func endingsTable() string {
	var table strings.Builder
	table.WriteString("| the application | `Never` | `OnFailure` |\n| --- | --- | --- |\n")
	for _, row := range endings {
		fmt.Fprintf(&table, "| %s | %s | %s |\n", row.way, row.never.text, row.onFailure.text)
	}
	return table.String()
}
