package tests

import (
	"time"
)

// A row is one way of ending, by the README's words. A way that can be brought about in
// several ways has several rows.
type row struct {
	way, variant     string
	never, onFailure ending
}

func (r row) name() string { return r.way + r.variant }

// What applications do. The volume /state outlives a try.
const (
	exitsOnTERM  = "trap 'exit 0' TERM; echo works; sleep 3600 & wait $!"
	exitsOnUSR1  = "trap 'exit 0' USR1; echo works; sleep 3600 & wait $!"
	ignoresTERM  = "trap '' TERM; echo works; sleep 3600"
	worksForever = "echo works; sleep 3600 & wait $!"
	takesMemory  = "exec tail /dev/zero"
	failsProbe   = "touch /tmp/dead; " + worksForever
	stopsByProbe = "touch /tmp/dead; " + exitsOnTERM
)

// killsItself has the shell's $$, which Kubernetes writes as $$$$.
const killsItself = "kill -KILL $$$$"

// once is an application that does this in its first try, and exits with 0 in the next.
func once(script string) string {
	return "if [ -e /state/tried ]; then exit 0; fi; touch /state/tried; " + script
}

const notReadyInTime = "the sidecar is not ready in `STARTGATE_TIMEOUT`"

var endings = []row{
	{
		"it exits with 0", "",
		succeeded("0", ending{script: "exit 0"}),
		succeeded("0", ending{script: "exit 0"}),
	},
	{
		"it exits with another code", "",
		failed("3", ending{script: "exit 3"}),
		succeeded("3 0", ending{script: once("exit 3"), retries: 3}),
	},
	{
		"a signal kills it", "",
		failed("137", ending{script: killsItself}),
		succeeded("137 0", ending{script: once(killsItself), retries: 3}),
	},
	{
		"a signal kills it", ": memory runs out under cgroup v1",
		failed("137", ending{script: takesMemory, options: options(littleMemory)}),
		succeeded("137 0", ending{script: once(takesMemory), options: options(littleMemory), retries: 3}),
	},
	{
		"the container is killed with all that is in it, as when memory runs out under cgroup v2", "",
		ended("137", maybeAsked, ending{script: worksForever, do: killContainerAndPassDeadline}),
		succeeded("137 0", ending{script: once(worksForever), do: killContainer, retries: 3}),
	},
	{
		"the pod is deleted, or `activeDeadlineSeconds` have passed, and it exits on TERM", ": deleted",
		ending{script: exitsOnTERM, do: deleteJob, codes: "0"},
		ending{script: exitsOnTERM, do: deleteJob, codes: "0"},
	},
	{
		"the pod is deleted, or `activeDeadlineSeconds` have passed, and it exits on TERM", ": deadline",
		ended("0", maybeAsked, ending{script: exitsOnTERM, do: whenWorking(passDeadline)}),
		ended("0", maybeAsked, ending{script: exitsOnTERM, do: whenWorking(passDeadline)}),
	},
	{
		"the same, and it does not exit in the grace period", ": deleted",
		ending{script: ignoresTERM, do: deleteJob, codes: "137"},
		ending{script: ignoresTERM, do: deleteJob, codes: "137"},
	},
	{
		"the same, and it does not exit in the grace period", ": deadline",
		ended("137", maybeAsked, ending{script: ignoresTERM, do: whenWorking(passDeadline)}),
		ended("137", maybeAsked, ending{script: ignoresTERM, do: whenWorking(passDeadline)}),
	},
	{
		"a signal ends the wait", "",
		failed("143", ending{script: "echo works", options: options(sidecar("--hold-ready")), do: endWaitByTERM}),
		succeeded("143 0", ending{script: "echo works", options: options(sidecar("--hold-ready")), retries: 3, do: func(n *namespace, job, pod string) {
			endWaitByTERM(n, job, pod)
			n.waitForEnds(pod, "app", 1)
			n.letBecomeReady(pod)
		}}),
	},
	{
		notReadyInTime, "",
		failed("124", ending{script: "echo works", options: options(sidecar("--hold-ready"), settings("STARTGATE_TIMEOUT=2s"))}),
		succeeded("124... 0", ending{
			script: "echo works", options: options(sidecar("--hold-ready"), settings("STARTGATE_TIMEOUT=2s")), retries: 6,
			do: func(n *namespace, _, pod string) {
				n.waitForEnds(pod, "app", 1)
				n.letBecomeReady(pod)
			},
		}),
	},
	{
		"the same, and the sidecar starts within `STARTGATE_QUIT_TIMEOUT` after it", "",
		failed("124", ending{
			script: "echo works", options: options(sidecar("--hold-start", "--hold-ready"), settings("STARTGATE_TIMEOUT=1s", "STARTGATE_QUIT_TIMEOUT=2m")),
			do: func(n *namespace, _, pod string) {
				n.waitUntilRunning(pod, "app")
				n.waitForLog(pod, "istio-proxy", "starts")
				started := n.status(pod, "app").State.Running.StartedAt
				n.eventually("startgate has given up", func() bool { return time.Since(started.Time) > 4*time.Second })
				n.letListen(pod)
			},
		}),
		lateSidecar(1),
	},
	{
		"the same, and the sidecar starts later than that", "",
		ended("124", maybeAsked, ending{
			script: "echo works", options: options(sidecar("--hold-start"), settings("STARTGATE_TIMEOUT=1s", "STARTGATE_QUIT_TIMEOUT=1s")),
			do: func(n *namespace, job, pod string) {
				n.waitForEnds(pod, "app", 1)
				n.letListen(pod)
				n.waitForLog(pod, "istio-proxy", "is ready")
				n.checkStays(pod)
				passDeadline(n, job, pod)
			},
		}),
		lateSidecar(2),
	},
	{
		"the program does not exist, or cannot be run", ": does not exist",
		failed("127", ending{options: options(program("/missing"))}),
		ended("127 ...", maybeAsked, ending{options: options(program("/missing")), retries: 1}).because("BackoffLimitExceeded"),
	},
	{
		"the program does not exist, or cannot be run", ": cannot be run",
		failed("126", ending{options: options(program("/tmp"))}),
		ended("126 ...", maybeAsked, ending{options: options(program("/tmp")), retries: 1}).because("BackoffLimitExceeded"),
	},
	{
		"the same, and the sidecar starts later than `STARTGATE_QUIT_TIMEOUT`, as when its image is still being pulled", "",
		failed("127", ending{options: options(program("/missing"), sidecar("--hold-start"), settings("STARTGATE_QUIT_TIMEOUT=1s")), do: letListenLate}),
		ended("127 ...", maybeAsked, ending{options: options(program("/missing"), sidecar("--hold-start")), retries: 1}).because("BackoffLimitExceeded"),
	},
	{
		"a setting or the command line is wrong", "",
		failed("125", ending{options: options(sidecar("--hold-start"), settings("STARTGATE_TIMEOUT=5", "STARTGATE_QUIT_TIMEOUT=1s")), do: letListenLate}),
		ended("125 ...", maybeAsked, ending{options: options(settings("STARTGATE_TIMEOUT=5")), retries: 1}).because("BackoffLimitExceeded"),
	},
	{
		"the sidecar exits first, with a code that is not 0", "",
		failed("0", ending{script: exitsOnUSR1, do: killSidecar}).unasked(),
		succeeded("0", ending{script: exitsOnUSR1, do: killSidecar, retries: 3}),
	},
	{
		"the sidecar exits first, with 0, as Istio's agent does when its Envoy crashes", "",
		succeeded("0", ending{script: exitsOnUSR1, do: endSidecarWith0}).unasked(),
		succeeded("0", ending{script: exitsOnUSR1, do: endSidecarWith0}).unasked(),
	},
	{
		"its livenessProbe fails, and it exits on TERM with a code that is not 0", "",
		failed("143", ending{script: failsProbe, options: options(livenessProbe)}),
		succeeded("143 0", ending{script: once(failsProbe), options: options(livenessProbe), retries: 3}),
	},
	{
		"the same, and it exits with 0", "",
		succeeded("0", ending{script: stopsByProbe, options: options(livenessProbe)}),
		// The kubelet restarts it whatever its code, beside a sidecar that has been shut down.
		ended("0 124 ...", maybeAsked, ending{script: stopsByProbe, options: options(livenessProbe, settings("STARTGATE_TIMEOUT=10s")), retries: 2}).because("BackoffLimitExceeded"),
	},
}
