//go:build linux

package podtest

// What becomes of a Job's pod, depending on its sidecar: one that drains, a native one,
// none at all, one that refuses, and one that two containers ask to shut down.

import (
	"syscall"
	"testing"
	"time"
)

// Of two containers only the one that exits last may have STARTGATE_QUIT. If the other
// one has it too, the sidecar is gone while the last one still works.
func TestQuitOnOneOfTwoContainers(t *testing.T) {
	needPods(t)
	// At USR1 the worker requests a page of the sidecar, as if through it, and exits.
	const worker = "trap 'wget -q -O /dev/null http://127.0.0.1:15021/healthz/ready && exit 0; exit 1' USR1; " + worksForever + " & wait"
	for _, test := range []struct {
		name  string
		quits []string // the containers that have STARTGATE_QUIT
		phase string
		code  int
	}{
		{"the last has QUIT", []string{"app"}, "Succeeded", 0},
		{"both have QUIT", []string{"app", "first"}, "Failed", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			manifest := jobPod("Never", nil, worker, nil)
			addContainer(manifest, shell("first", exitsOnUSR1))
			manifest = deepCopy(t, manifest)
			for _, name := range test.quits {
				setEnv(containerIn(t, manifest, name), neverSettings...)
			}
			p := startPod(t, manifest)
			p.waitForLog("app", "working", 1)
			p.waitForLog("first", "working", 1)
			p.signal("first", syscall.SIGUSR1)
			p.waitForExit("first")
			if len(test.quits) == 2 {
				p.waitForExit("istio-proxy")
			}
			p.signal("app", syscall.SIGUSR1)
			p.waitForEnd()
			if phase, code := p.phase(), p.state("app").ExitCode; phase != test.phase || code != test.code {
				t.Errorf("the pod is %s, the last container's code %d: want %s and %d", phase, code, test.phase, test.code)
			}
		})
	}
}

// A sidecar that needs time to drain is not waited for. The pod ends when it has drained.
func TestSidecarThatDrains(t *testing.T) {
	needPods(t)
	t.Parallel()
	p := startPod(t, jobPod("Never", neverSettings, "echo working", []string{"--drain=5s"}))
	p.waitForExit("app")
	p.checkLog("app", logDraining)
	p.waitForEnd()
	if phase := p.phase(); phase != "Succeeded" {
		t.Errorf("the pod is %s", phase)
	}
}

// A native sidecar is waited for. It is not asked to shut down: the kubelet stops it.
func TestNativeSidecar(t *testing.T) {
	needPods(t)
	t.Parallel()
	manifest := jobPod("Never", neverSettings, "echo working", holdReady)
	annotate(manifest, nativeStatus)
	p := startPod(t, manifest)
	p.waitForLog("app", "istio is not ready yet", 1)
	p.letBecomeReady("istio-proxy")
	p.waitForExit("app")
	p.checkLog("app", "istio is ready", "mode=replace", logNativeIstio, "working")
	p.stop(grace)
	if phase := p.phase(); phase != "Succeeded" || p.wasAsked("istio-proxy") {
		t.Errorf("the pod is %s:\n%s", phase, p.log("istio-proxy"))
	}
}

// Where no sidecar is injected, none is waited for and none is asked to shut down.
func TestJobWithoutSidecar(t *testing.T) {
	needPods(t)
	t.Parallel()
	p := startPod(t, shellPod("job", "Never", neverSettings, "echo working"))
	began := time.Now()
	p.waitForEnd()
	p.checkLog("app", logNotInjected, "mode=replace", "working")
	if phase, took := p.phase(), time.Since(began); phase != "Succeeded" || took > patience/2 {
		t.Errorf("the pod is %s after %v", phase, took)
	}
}

// Linkerd's proxy does not shut down unless that is allowed: startgate says how to allow
// it, and the pod stays.
func TestLinkerdRefusesShutdown(t *testing.T) {
	needPods(t)
	t.Parallel()
	settings := []string{"STARTGATE_WAIT_FOR=linkerd", "STARTGATE_QUIT=linkerd", "STARTGATE_QUIT_TIMEOUT=1m"}
	manifest := shellPod("job", "Never", settings, "echo working")
	removeNamed(t, containerIn(t, manifest, "app"), "env", "STARTGATE_SIDECAR_STATUS") // it is Istio's annotation
	addContainer(manifest, standin("linkerd-proxy", "linkerd", "--shutdown-endpoint=false"))
	p := startPod(t, manifest)
	p.waitForExit("app")
	p.checkLog("app", "working", logRefused, "status 404", "config.linkerd.io/proxy-admin-shutdown: enabled")
	if phase := p.phase(); phase != "Running" {
		t.Errorf("the pod is %s", phase)
	}
}
