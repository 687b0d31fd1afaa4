//go:build linux

package podtest

// The table of jobs/README.md: how a Job's pod ends: the text of each cell, and the pod in
// which TestJobEndings sees it happen.

import (
	"syscall"
	"time"
)

// A tableRow is one way of ending.
type tableRow struct {
	way              string
	never, onFailure tableCell
}

// A tableCell is what happens with one restartPolicy.
type tableCell struct {
	text     string
	settings []string // of startgate, besides those of the column
	app      string   // the application, a shell script
	sidecar  []string // the stand-in's flags
	do       func(*pod)
	want     outcome
}

// The settings of each column, besides those of the cell.
var (
	neverSettings     = []string{"STARTGATE_QUIT=istio"}
	onFailureSettings = []string{"STARTGATE_QUIT=istio", "STARTGATE_QUIT_ON=success"}
)

// endings has the rows of that table.
var endings = []tableRow{
	{
		"it exits with 0",
		tableCell{
			text: "startgate shuts the sidecar down; the pod becomes Succeeded",
			app:  "exit 0",
			want: outcome{phase: "Succeeded", quit: asked},
		},
		tableCell{
			text: "the same",
			app:  "exit 0",
			want: outcome{phase: "Succeeded", quit: asked},
		},
	},
	{
		"it exits with another code",
		tableCell{
			text: "the sidecar is shut down; the pod becomes Failed, with this code",
			app:  "exit 3",
			want: outcome{phase: "Failed", code: 3, quit: asked, log: []string{"code=3"}},
		},
		tableCell{
			text: "the sidecar is not shut down; the container is restarted beside it",
			app:  once("exit 3"),
			want: outcome{phase: "Succeeded", restarts: 1, quit: asked, log: []string{"code=3", logNotAsked}},
		},
	},
	{
		"a signal kills it",
		tableCell{
			text: "code 128+n, and as above",
			app:  "kill -KILL $$",
			want: outcome{phase: "Failed", code: 137, quit: asked, log: []string{"code=137"}},
		},
		tableCell{
			text: "code 128+n, and as above",
			app:  once("kill -KILL $$"),
			want: outcome{phase: "Succeeded", restarts: 1, quit: asked, log: []string{"code=137", logNotAsked}},
		},
	},
	{
		"the container is killed with all that is in it, as when memory runs out under cgroup v2",
		tableCell{
			text: "code 137, and **the sidecar is not shut down**: the pod stays until `activeDeadlineSeconds`",
			app:  worksForever,
			do:   killContainer,
			want: outcome{phase: "Running", code: 137},
		},
		tableCell{
			text: "code 137; the container is restarted beside the sidecar",
			app:  once(worksForever),
			do:   killContainer,
			want: outcome{phase: "Succeeded", restarts: 1, quit: asked},
		},
	},
	{
		"the pod is deleted, or `activeDeadlineSeconds` have passed, and it exits on TERM",
		tableCell{
			text: "it and the sidecar get TERM, in any order; both exit",
			app:  exitsOnTERM,
			do:   deletePod,
			want: outcome{phase: "Succeeded", quit: askedOrTERM, log: []string{"stopping", "code=0"}},
		},
		tableCell{
			text: "the same",
			app:  exitsOnTERM,
			do:   deletePod,
			want: outcome{phase: "Succeeded", quit: askedOrTERM, log: []string{"stopping", "code=0"}},
		},
	},
	{
		"the same, and it does not exit in the grace period",
		tableCell{
			text: "KILL to all; no sidecar is asked, and nothing is left",
			app:  ignoresTERM,
			do:   deletePodQuickly,
			want: outcome{phase: "Failed", code: 137},
		},
		tableCell{
			text: "the same",
			app:  ignoresTERM,
			do:   deletePodQuickly,
			want: outcome{phase: "Failed", code: 137},
		},
	},
	{
		"a signal ends the wait",
		tableCell{
			text:    "code 128+n; the sidecar is shut down; the pod becomes Failed",
			app:     "echo working",
			sidecar: holdReady,
			do:      endWaitByTERM,
			want: outcome{
				phase: "Failed", code: 143, quit: asked, log: []string{"ended by SIGTERM"},
				message: "startgate: cannot start sh: ended by SIGTERM while istio was not ready",
			},
		},
		tableCell{
			text:    "code 128+n; the sidecar is not shut down; the container is restarted, and waits again",
			app:     "echo working",
			sidecar: holdReady,
			do: func(p *pod) {
				endWaitByTERM(p)
				p.waitForLog("app", "waiting for istio", 2)
				p.letBecomeReady("istio-proxy")
			},
			want: outcome{
				phase: "Succeeded", restarts: 1, quit: asked, log: []string{"ended by SIGTERM", logNotAsked},
				message: "startgate: cannot start sh: ended by SIGTERM while istio was not ready",
			},
		},
	},
	{
		"the sidecar is not ready in `STARTGATE_TIMEOUT`",
		tableCell{
			text:     "code 124; the sidecar is shut down; the pod becomes Failed",
			settings: []string{"STARTGATE_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  holdReady,
			want:     timedOut(outcome{phase: "Failed", code: 124, quit: asked}),
		},
		tableCell{
			text:     "code 124; the sidecar is not shut down; the container is restarted, and waits again",
			settings: []string{"STARTGATE_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  holdReady,
			do: func(p *pod) {
				p.waitForLog("app", logNotAsked, 1)
				p.letBecomeReady("istio-proxy")
			},
			want: timedOut(outcome{phase: "Succeeded", restarts: atLeast(1), quit: asked, log: []string{logNotAsked}}),
		},
	},
	{
		"the same, and the sidecar starts within `STARTGATE_QUIT_TIMEOUT` after it",
		tableCell{
			text:     "code 124; the sidecar is shut down as soon as it listens; the pod becomes Failed",
			settings: []string{"STARTGATE_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  []string{"--hold-start", "--hold-ready"},
			do: func(p *pod) {
				p.waitForLog("app", "event=gave_up", 1)
				p.letListen("istio-proxy")
			},
			want: timedOut(outcome{phase: "Failed", code: 124, quit: asked}),
		},
		lateSidecar(1),
	},
	{
		"the same, and the sidecar starts later than that",
		tableCell{
			text:     "code 124, and a warning: **the sidecar stays, and the pod** until `activeDeadlineSeconds`",
			settings: []string{"STARTGATE_TIMEOUT=1s", "STARTGATE_QUIT_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  []string{"--hold-start"},
			do: func(p *pod) {
				p.waitForExit("app")
				p.letListen("istio-proxy")
				p.waitForLog("istio-proxy", "is ready", 1)
			},
			want: timedOut(outcome{
				phase: "Running", code: 124,
				log: []string{logNeverSeen},
			}),
		},
		lateSidecar(2),
	},
	{
		"the program does not exist, or cannot be run",
		tableCell{
			text: "code 127 or 126; the sidecar is shut down as soon as it listens; the pod becomes Failed",
			app:  missingProgram,
			want: outcome{
				phase: "Failed", code: 127, quit: asked,
				message: "startgate: cannot run /missing: no such file or directory",
			},
		},
		tableCell{
			text: "code 127 or 126; the sidecar is not shut down; the container is restarted, up to `backoffLimit`",
			app:  missingProgram,
			do: func(p *pod) {
				p.waitForLog("app", logNotAsked, 3)
				p.stop(grace)
			},
			want: outcome{
				phase: "Failed", code: anyCode, restarts: atLeast(2), log: []string{logNotAsked, "code=127"},
				message: "startgate: cannot run /missing: no such file or directory",
			},
		},
	},
	{
		"the same, and the sidecar starts later than `STARTGATE_QUIT_TIMEOUT`, as when its image is still being pulled",
		tableCell{
			text:     "the same: startgate waits for the sidecar, [as long as it may](#a-sidecar-that-starts-after-the-failure)",
			settings: []string{"STARTGATE_QUIT_TIMEOUT=1s"},
			app:      missingProgram,
			sidecar:  []string{"--hold-start"},
			do:       letListenLate,
			want: outcome{
				phase: "Failed", code: 127, quit: asked,
				message: "startgate: cannot run /missing: no such file or directory",
			},
		},
		tableCell{
			text:    "as above",
			app:     missingProgram,
			sidecar: []string{"--hold-start"},
			do: func(p *pod) {
				p.waitForLog("app", logNotAsked, 2)
				p.stop(grace)
			},
			want: outcome{
				phase: "Failed", code: anyCode, restarts: atLeast(1), log: []string{logNotAsked, "code=127"},
				message: "startgate: cannot run /missing: no such file or directory",
			},
		},
	},
	{
		"a setting or the command line is wrong",
		tableCell{
			text:     "code 125, and as for 127",
			settings: []string{"STARTGATE_TIMEOUT=5", "STARTGATE_QUIT_TIMEOUT=1s"},
			app:      "echo working",
			sidecar:  []string{"--hold-start"},
			do:       letListenLate,
			want: outcome{
				phase: "Failed", code: 125, quit: asked,
				message: `startgate: STARTGATE_TIMEOUT="5": missing unit, write 5s`,
			},
		},
		tableCell{
			text:     "code 125, and as for 127",
			settings: []string{"STARTGATE_TIMEOUT=5"},
			app:      "echo working",
			do: func(p *pod) {
				p.waitForLog("app", logNotAsked, 2)
				p.stop(grace)
			},
			want: outcome{
				phase: "Failed", code: anyCode, restarts: atLeast(1), log: []string{logNotAsked, "code=125"},
				message: `startgate: STARTGATE_TIMEOUT="5": missing unit, write 5s`,
			},
		},
	},
	{
		"the sidecar exits first, with a code that is not 0",
		tableCell{
			text: "it goes on, without the mesh; its own code counts; the pod becomes Failed, by the sidecar's code",
			app:  exitsOnUSR1,
			do: onceWorking(func(p *pod) {
				p.signal("istio-proxy", syscall.SIGKILL)
				p.waitForExit("istio-proxy")
				p.signal("app", syscall.SIGUSR1)
			}),
			want: outcome{phase: "Failed", sidecar: 137, log: []string{logIstioGone, "code=0"}},
		},
		tableCell{
			text: "it goes on; the sidecar is restarted, and shut down at the end. The restart [counts](#which-failures-count): with `backoffLimit: 0` **the Job fails at once, and the application gets TERM**",
			app:  exitsOnUSR1,
			do: onceWorking(func(p *pod) {
				p.signal("istio-proxy", syscall.SIGKILL)
				p.waitForLog("istio-proxy", "is ready", 2)
				p.signal("app", syscall.SIGUSR1)
			}),
			want: outcome{phase: "Succeeded", quit: asked, log: []string{"code=0"}},
		},
	},
	{
		"the sidecar exits first, with 0, as Istio's agent does when its Envoy crashes",
		tableCell{
			text: "it goes on, without the mesh; its own code counts: after 0 the pod becomes Succeeded",
			app:  exitsOnUSR1,
			do:   onceWorking(endSidecarWith0),
			want: outcome{phase: "Succeeded", log: []string{logIstioGone, "code=0"}},
		},
		tableCell{
			text: "the same: the sidecar is not restarted",
			app:  exitsOnUSR1,
			do:   onceWorking(endSidecarWith0),
			want: outcome{phase: "Succeeded", log: []string{logIstioGone, "code=0"}},
		},
	},
	{
		"its livenessProbe fails, and it exits on TERM with a code that is not 0",
		tableCell{
			text: "it is not restarted: the sidecar is shut down; the pod becomes Failed",
			app:  worksForever,
			do:   terminate,
			want: outcome{phase: "Failed", code: 143, quit: asked, log: []string{"code=143"}},
		},
		tableCell{
			text: "the sidecar is not shut down; the container is restarted beside it",
			app:  once(worksForever),
			do:   terminate,
			want: outcome{phase: "Succeeded", restarts: 1, quit: asked, log: []string{"code=143", logNotAsked}},
		},
	},
	{
		"the same, and it exits with 0",
		tableCell{
			text: "the sidecar is shut down; **the pod becomes Succeeded**",
			app:  exitsOnTERM,
			do:   terminate,
			want: outcome{phase: "Succeeded", quit: asked, log: []string{"stopping"}},
		},
		tableCell{
			// podman does not restart it. A kubelet does: see examples/cluster.
			text: "the sidecar is shut down, and **the kubelet restarts the container all the same**: the next try ends with 124, and so on up to `backoffLimit`",
			app:  exitsOnTERM,
			do:   terminate,
			want: outcome{phase: "Succeeded", quit: asked, log: []string{"stopping"}},
		},
	},
}

// lateSidecar is a cell of OnFailure whose sidecar starts after this many tries.
func lateSidecar(tries int) tableCell {
	return tableCell{
		text:     "as above",
		settings: []string{"STARTGATE_TIMEOUT=1s"},
		app:      "echo working",
		sidecar:  []string{"--hold-start"},
		do: func(p *pod) {
			p.waitForLog("app", logNotAsked, tries)
			p.letListen("istio-proxy")
		},
		want: timedOut(outcome{phase: "Succeeded", restarts: atLeast(tries), quit: asked, log: []string{logNotAsked}}),
	}
}

// timedOut adds to an outcome what startgate says after a time-out.
func timedOut(o outcome) outcome {
	o.log = append(o.log, "istio not ready after ")
	o.message = "startgate: cannot start sh: istio not ready after "
	return o
}

// onceWorking does something to the pod as soon as the application works.
func onceWorking(do func(*pod)) func(*pod) {
	return func(p *pod) {
		p.waitForLog("app", "working", 1)
		do(p)
	}
}

var (
	killContainer    = onceWorking(func(p *pod) { p.signal("app", syscall.SIGKILL) })
	terminate        = onceWorking(func(p *pod) { p.signal("app", syscall.SIGTERM) })
	deletePod        = onceWorking(func(p *pod) { p.stop(grace) })
	deletePodQuickly = onceWorking(func(p *pod) { p.stop(shortGrace) })
)

// letListenLate starts the sidecar when more than a second has passed since startgate began to
// wait for it, which is STARTGATE_QUIT_TIMEOUT.
func letListenLate(p *pod) {
	p.waitForLog("app", logComesLate, 1)
	time.Sleep(2 * time.Second)
	p.letListen("istio-proxy")
}

// endSidecarWith0 makes the sidecar exit with code 0, and then the application.
func endSidecarWith0(p *pod) {
	p.signal("istio-proxy", syscall.SIGTERM)
	p.waitForExit("istio-proxy")
	p.signal("app", syscall.SIGUSR1)
}

// endWaitByTERM sends TERM to startgate while it waits.
func endWaitByTERM(p *pod) {
	p.waitForLog("app", "istio is not ready yet", 1)
	p.signal("app", syscall.SIGTERM)
}
