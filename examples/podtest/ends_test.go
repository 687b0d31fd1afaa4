//go:build linux

package podtest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A row is one line of the README's table of how a Job's pod ends.
type row struct {
	way              string
	never, onFailure cell
}

// A cell is what happens with one restartPolicy: in words, and as a pod in which it
// is seen to happen.
type cell struct {
	text     string
	settings []string // of startgate, besides those of the column
	app      string   // a shell script
	sidecar  []string // the stand-in's flags
	do       func(*pod)
	want     outcome
}

// outcome is what a pod has come to.
type outcome struct {
	phase    string // Running: the application is over, and the pod stays
	code     int    // of the application's container, the last one
	restarts int    // of that container
	sidecar  int    // the code of the sidecar's
	log      []string
	message  string // how the termination message begins; empty: there is none
	told     told
}

// told is whether the sidecar was told to quit.
type told string

const (
	yes    told = "was told to quit"
	either told = "|" // it gets TERM at the same time
)

// once makes a script do something in its first try only.
func once(script string) string {
	return "[ -e /state/tried ] && exit 0; touch /state/tried; " + script
}

const (
	works     = "echo working; sleep 1000"            // until a signal
	stops     = "trap 'echo stopping; exit 0' TERM; " // and is done, when it gets TERM
	ignores   = "trap '' TERM; "
	untilUSR1 = "trap 'exit 0' USR1; echo working; sleep 1000 & wait"
)

// The settings of each column, besides those of the cell.
var (
	neverSettings     = []string{"STARTGATE_QUIT=istio"}
	onFailureSettings = []string{"STARTGATE_QUIT=istio", "STARTGATE_QUIT_ON=success"}
)

// onceWorking does something to the pod when the application says that it works.
func onceWorking(do func(*pod)) func(*pod) {
	return func(p *pod) {
		p.until("app", "working", 1)
		do(p)
	}
}

var (
	kill      = onceWorking(func(p *pod) { p.signal("app", syscall.SIGKILL) })
	terminate = onceWorking(func(p *pod) { p.signal("app", syscall.SIGTERM) })
	remove    = onceWorking(func(p *pod) { p.stop(10 * time.Second) })
	removeNow = onceWorking(func(p *pod) { p.stop(time.Second) })
)

const tellsNone = "not telling istio to quit"

// rows are the README's table.
var rows = []row{
	{
		"it ends with 0",
		cell{
			text: "the sidecar is told to quit; the pod has succeeded",
			app:  "exit 0",
			want: outcome{phase: "Succeeded", told: yes},
		},
		cell{
			text: "the same",
			app:  "exit 0",
			want: outcome{phase: "Succeeded", told: yes},
		},
	},
	{
		"it ends with another code",
		cell{
			text: "the sidecar is told; the pod has failed, with this code",
			app:  "exit 3",
			want: outcome{phase: "Failed", code: 3, told: yes, log: []string{"code=3"}},
		},
		cell{
			text: "the sidecar is not told; the container is restarted beside it",
			app:  once("exit 3"),
			want: outcome{phase: "Succeeded", restarts: 1, told: yes, log: []string{"code=3", tellsNone}},
		},
	},
	{
		"a signal kills it",
		cell{
			text: "code 128+n, and as above",
			app:  "kill -KILL $$",
			want: outcome{phase: "Failed", code: 137, told: yes, log: []string{"code=137"}},
		},
		cell{
			text: "code 128+n, and as above",
			app:  once("kill -KILL $$"),
			want: outcome{phase: "Succeeded", restarts: 1, told: yes, log: []string{"code=137", tellsNone}},
		},
	},
	{
		"the container is killed with all that is in it, as when memory runs out under cgroup v2",
		cell{
			text: "code 137, and **the sidecar is not told**: the pod stays until `activeDeadlineSeconds`",
			app:  works,
			do:   kill,
			want: outcome{phase: "Running", code: 137},
		},
		cell{
			text: "code 137; the container is restarted beside the sidecar",
			app:  once(works),
			do:   kill,
			want: outcome{phase: "Succeeded", restarts: 1, told: yes},
		},
	},
	{
		"the pod is deleted, or `activeDeadlineSeconds` have passed, and it ends on TERM",
		cell{
			text: "it and the sidecar get TERM, in any order; both end",
			app:  stops + works + " & wait",
			do:   remove,
			want: outcome{phase: "Succeeded", told: either, log: []string{"stopping", "code=0"}},
		},
		cell{
			text: "the same",
			app:  stops + works + " & wait",
			do:   remove,
			want: outcome{phase: "Succeeded", told: either, log: []string{"stopping", "code=0"}},
		},
	},
	{
		"the same, and it does not end in the grace period",
		cell{
			text: "KILL to all; nobody is told, and nothing is left",
			app:  ignores + works,
			do:   removeNow,
			want: outcome{phase: "Failed", code: 137},
		},
		cell{
			text: "the same",
			app:  ignores + works,
			do:   removeNow,
			want: outcome{phase: "Failed", code: 137},
		},
	},
	{
		"a signal ends the wait",
		cell{
			text:    "code 128+n; the sidecar is told; the pod has failed",
			app:     "echo working",
			sidecar: []string{"--hold-ready"},
			do:      endWait,
			want: outcome{
				phase: "Failed", code: 143, told: yes, log: []string{"ended by SIGTERM"},
				message: "startgate: cannot start sh: ended by SIGTERM while istio was not ready",
			},
		},
		cell{
			text:    "code 128+n; the sidecar is not told; the container is restarted, and waits again",
			app:     "echo working",
			sidecar: []string{"--hold-ready"},
			do: func(p *pod) {
				endWait(p)
				p.until("app", "waiting for istio", 2)
				p.releases()
			},
			want: outcome{
				phase: "Succeeded", restarts: 1, told: yes, log: []string{"ended by SIGTERM", tellsNone},
				message: "startgate: cannot start sh: ended by SIGTERM while istio was not ready",
			},
		},
	},
	{
		"the sidecar is not ready in `STARTGATE_TIMEOUT`",
		cell{
			text:     "code 124; the sidecar is told; the pod has failed",
			settings: []string{"STARTGATE_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  []string{"--hold-ready"},
			want:     timedOut(outcome{phase: "Failed", code: 124, told: yes}),
		},
		cell{
			text:     "code 124; the sidecar is not told; the container is restarted, and waits again",
			settings: []string{"STARTGATE_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  []string{"--hold-ready"},
			do: func(p *pod) {
				p.until("app", tellsNone, 1)
				p.releases()
			},
			want: timedOut(outcome{phase: "Succeeded", restarts: atLeast(1), told: yes, log: []string{tellsNone}}),
		},
	},
	{
		"the same, and the sidecar starts within `STARTGATE_QUIT_TIMEOUT` after it",
		cell{
			text:     "code 124; the sidecar is told as soon as it listens; the pod has failed",
			settings: []string{"STARTGATE_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  []string{"--hold-start", "--hold-ready"},
			do: func(p *pod) {
				p.until("app", "istio is not ready yet", 1)
				time.Sleep(2 * time.Second) // by then it has given up, and does not say so yet
				p.release("istio-proxy", syscall.SIGUSR1)
			},
			want: timedOut(outcome{phase: "Failed", code: 124, told: yes}),
		},
		lateSidecar(1),
	},
	{
		"the same, and the sidecar starts later than that",
		cell{
			text:     "code 124, and a warning: **the sidecar stays, and the pod** until `activeDeadlineSeconds`",
			settings: []string{"STARTGATE_TIMEOUT=1s", "STARTGATE_QUIT_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  []string{"--hold-start"},
			do: func(p *pod) {
				p.isOver("app")
				p.release("istio-proxy", syscall.SIGUSR1)
				p.until("istio-proxy", "is ready", 1)
			},
			want: timedOut(outcome{
				phase: "Running", code: 124,
				log: []string{"istio was never seen, and may still start and keep the pod"},
			}),
		},
		lateSidecar(2),
	},
	{
		"the program does not exist, or cannot be run",
		cell{
			text: "code 127 or 126; the sidecar is told as soon as it listens; the pod has failed",
			app:  missing,
			want: outcome{
				phase: "Failed", code: 127, told: yes,
				message: "startgate: cannot run /missing: no such file or directory",
			},
		},
		cell{
			text: "code 127 or 126; the sidecar is not told; the container is restarted, up to `backoffLimit`",
			app:  missing,
			do: func(p *pod) {
				p.until("app", tellsNone, 3)
				p.stop(10 * time.Second)
			},
			want: outcome{
				phase: "Failed", code: anyCode, restarts: atLeast(2), log: []string{tellsNone, "code=127"},
				message: "startgate: cannot run /missing: no such file or directory",
			},
		},
	},
	{
		"the sidecar ends before it, with a code that is not 0",
		cell{
			text: "it goes on, without the mesh; its own code; the pod has failed, by the sidecar's code",
			app:  untilUSR1,
			do: onceWorking(func(p *pod) {
				p.signal("istio-proxy", syscall.SIGKILL)
				p.isOver("istio-proxy")
				p.signal("app", syscall.SIGUSR1)
			}),
			want: outcome{phase: "Failed", sidecar: 137, log: []string{"istio is gone already", "code=0"}},
		},
		cell{
			text: "it goes on; the sidecar is restarted, and told in the end",
			app:  untilUSR1,
			do: onceWorking(func(p *pod) {
				p.signal("istio-proxy", syscall.SIGKILL)
				p.until("istio-proxy", "is ready", 2)
				p.signal("app", syscall.SIGUSR1)
			}),
			want: outcome{phase: "Succeeded", told: yes, log: []string{"code=0"}},
		},
	},
	{
		"its livenessProbe fails, and it ends on TERM with a code that is not 0",
		cell{
			text: "it is not restarted: the sidecar is told; the pod has failed",
			app:  works,
			do:   terminate,
			want: outcome{phase: "Failed", code: 143, told: yes, log: []string{"code=143"}},
		},
		cell{
			text: "the sidecar is not told; the container is restarted beside it",
			app:  once(works),
			do:   terminate,
			want: outcome{phase: "Succeeded", restarts: 1, told: yes, log: []string{"code=143", tellsNone}},
		},
	},
	{
		"the same, and it ends with 0",
		cell{
			text: "the sidecar is told; **the pod has succeeded**",
			app:  stops + works + " & wait",
			do:   terminate,
			want: outcome{phase: "Succeeded", told: yes, log: []string{"stopping"}},
		},
		cell{
			text: "the same",
			app:  stops + works + " & wait",
			do:   terminate,
			want: outcome{phase: "Succeeded", told: yes, log: []string{"stopping"}},
		},
	},
}

// lateSidecar is a cell of OnFailure with a sidecar that starts after so many tries.
func lateSidecar(tries int) cell {
	return cell{
		text:     "as above",
		settings: []string{"STARTGATE_TIMEOUT=1s"},
		app:      "echo working",
		sidecar:  []string{"--hold-start"},
		do: func(p *pod) {
			p.until("app", tellsNone, tries)
			p.release("istio-proxy", syscall.SIGUSR1)
		},
		want: timedOut(outcome{phase: "Succeeded", restarts: atLeast(tries), told: yes, log: []string{tellsNone}}),
	}
}

// missing is instead of a script.
const missing = "/missing"

// anyCode is where a try was stopped, somewhere.
const anyCode = -1

// atLeast is a number of restarts that may be exceeded.
func atLeast(n int) int { return -n }

// timedOut is an outcome after a time-out.
func timedOut(o outcome) outcome {
	o.log = append(o.log, "istio not ready after ")
	o.message = "startgate: cannot start sh: istio not ready after "
	return o
}

// endWait ends the wait by a signal.
func endWait(p *pod) {
	p.until("app", "istio is not ready yet", 1)
	p.signal("app", syscall.SIGTERM)
}

// releases lets the sidecar go on that was held.
func (p *pod) releases() {
	p.Helper()
	p.release("istio-proxy", syscall.SIGUSR1)
	p.release("istio-proxy", syscall.SIGUSR2)
}

func (p *pod) release(sidecar string, signal syscall.Signal) {
	p.Helper()
	p.until(sidecar, " starts\n", 1)
	p.signal(sidecar, signal)
}

// TestEnds sees each cell of the table happen.
func TestEnds(t *testing.T) {
	host.ready(t)
	for _, row := range rows {
		for policy, column := range map[string]struct {
			cell
			settings []string
		}{
			"Never":     {row.never, neverSettings},
			"OnFailure": {row.onFailure, onFailureSettings},
		} {
			t.Run(row.way+"/"+policy, func(t *testing.T) {
				t.Parallel()
				c := column.cell
				p := play(t, jobPod(policy, slices.Concat(column.settings, c.settings), c.app, c.sidecar))
				if c.do != nil {
					c.do(p)
				}
				p.comesTo(c.want)
			})
		}
	}
}

// jobPod is a pod as a Job makes it, injected.
func jobPod(policy string, settings []string, script string, sidecar []string) object {
	app := shell("app", script)
	if !strings.Contains(strings.Join(settings, " "), "STARTGATE_QUIT_TIMEOUT") {
		settings = append(settings, "STARTGATE_QUIT_TIMEOUT=1m") // for a machine that is busy
	}
	setEnv(app, settings...)
	pod := object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": "job"},
		"spec": object{
			"restartPolicy": policy,
			"volumes":       []any{object{"name": "state", "emptyDir": object{}}},
			"containers":    []any{app},
		},
	}
	return inject(pod, sidecar...)
}

// shell is a container with a shell script behind startgate.
func shell(name, script string) object {
	args := []any{"sh", "-c", script}
	if script == missing {
		args = []any{missing}
	}
	return object{
		"name": name, "image": shellImage, "args": args,
		"env": []any{object{
			"name":      "STARTGATE_SIDECAR_STATUS",
			"valueFrom": object{"fieldRef": object{"fieldPath": "metadata.annotations['" + statusAnnotation + "']"}},
		}},
		"volumeMounts": []any{object{"name": "state", "mountPath": "/state"}},
	}
}

// comesTo checks what the pod comes to.
func (p *pod) comesTo(want outcome) {
	p.Helper()
	if want.phase == "Running" {
		p.isOver("app")
		time.Sleep(time.Second) // what is tested is that nothing happens
	} else {
		p.ends()
	}
	app, sidecar := p.state("app"), p.state("istio-proxy")
	restarted := app.Restarts == want.restarts || want.restarts < 0 && app.Restarts >= -want.restarts
	if want.code == anyCode {
		want.code = app.ExitCode
	}
	if phase := p.phase(); phase != want.phase || app.ExitCode != want.code || !restarted || sidecar.ExitCode != want.sidecar {
		p.Errorf("the pod is %s, the application's code %d after %d restarts, the sidecar's code %d: want %+v",
			phase, app.ExitCode, app.Restarts, sidecar.ExitCode, want)
	}
	if said := strings.Contains(p.log("istio-proxy"), string(yes)); want.told != either && said != (want.told == yes) {
		p.Errorf("the sidecar was told to quit: %t", said)
	}
	p.says("app", want.log...)
	message, err := os.ReadFile(p.container("app").message)
	if err != nil || !strings.HasPrefix(string(message), want.message) || want.message == "" && len(message) > 0 {
		p.Errorf("the termination message is %q, want %q; %v", message, want.message, err)
	}
}

// TestEndsInREADME compares the README's table with what is seen here.
func TestEndsInREADME(t *testing.T) {
	const begin, end = "<!-- ends -->\n\n", "\n<!-- /ends -->\n"
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), begin)
	got, _, closed := strings.Cut(rest, end)
	if !found || !closed || got != endsTable() {
		t.Errorf("README.md should have\n%s%s%s", begin, endsTable(), end)
	}
}

func endsTable() string {
	var table strings.Builder
	table.WriteString("| the application | `Never` | `OnFailure` |\n| --- | --- | --- |\n")
	for _, row := range rows {
		fmt.Fprintf(&table, "| %s | %s | %s |\n", row.way, row.never.text, row.onFailure.text)
	}
	return table.String()
}
