//go:build linux

package podtest

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests here are of what the README says of Jobs beside its table.

// With restartPolicy OnFailure and QUIT_ON=always the first failure ends the
// sidecar, for good, as it ends with 0. All later tries wait in vain.
func TestOnFailureQuitAlways(t *testing.T) {
	t.Parallel()
	p := play(t, jobPod("OnFailure", []string{"STARTGATE_QUIT=istio", "STARTGATE_TIMEOUT=5s", "STARTGATE_QUIT_TIMEOUT=100ms"}, once("exit 3"), nil))
	p.until("app", "code=124", 1)
	p.says("app", "code=3", "istio not ready after ")
	if strings.Count(p.log("istio-proxy"), "is ready") != 1 {
		t.Errorf("the sidecar was restarted:\n%s", p.log("istio-proxy"))
	}
}

// A Deployment's containers are restarted however they end, and wait again.
func TestAlways(t *testing.T) {
	host.ready(t)
	const first = "[ -e /state/tried ] || { touch /state/tried; echo working; exit %d; }; " + works
	for name, test := range map[string]struct {
		script string
		do     func(*pod)
	}{
		"ends with 0":            {fmt.Sprintf(first, 0), nil},
		"fails":                  {fmt.Sprintf(first, 3), nil},
		"livenessProbe fails":    {stops + works + " & wait", terminate},
		"killed with everything": {works, kill},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := play(t, jobPod("Always", nil, test.script, nil))
			if test.do != nil {
				test.do(p)
			}
			p.until("app", "working", 2)
			p.until("app", "istio is ready", 2)
			p.says("app", "mode=replace")
			if n := strings.Count(p.log("istio-proxy"), "listens"); n != 1 {
				t.Errorf("the sidecar was started %d times:\n%s", n, p.log("istio-proxy"))
			}
		})
	}
}

// Of two containers only the one that ends last may have QUIT: with the other it
// is over with the mesh while work is being done.
func TestTwoContainers(t *testing.T) {
	host.ready(t)
	// When it is told to, the worker asks the sidecar, as if through it, and ends.
	const worker = "trap 'wget -q -O /dev/null http://127.0.0.1:15021/healthz/ready && exit 0; exit 1' USR1; " + works + " & wait"
	for _, test := range []struct {
		name  string
		quits []string // the containers that have QUIT
		phase string
		code  int
	}{
		{"the last has QUIT", []string{"app"}, "Succeeded", 0},
		{"both have QUIT", []string{"app", "first"}, "Failed", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			manifest := jobPod("Never", nil, worker, nil)
			addContainer(manifest, shell("first", untilUSR1))
			manifest = deepCopy(t, manifest)
			for _, name := range test.quits {
				setEnv(containerIn(t, manifest, name), neverSettings...)
			}
			p := play(t, manifest)
			p.until("app", "working", 1)
			p.until("first", "working", 1)
			p.signal("first", syscall.SIGUSR1)
			p.isOver("first")
			if len(test.quits) == 2 {
				p.isOver("istio-proxy")
			}
			p.signal("app", syscall.SIGUSR1)
			p.ends()
			if phase, code := p.phase(), p.state("app").ExitCode; phase != test.phase || code != test.code {
				t.Errorf("the pod is %s, the last container's code %d: want %s and %d", phase, code, test.phase, test.code)
			}
		})
	}
}

// A sidecar that takes its time to end is not waited for, and the pod is over when
// it is.
func TestDrains(t *testing.T) {
	t.Parallel()
	p := play(t, jobPod("Never", neverSettings, "echo working", []string{"--drain=3s"}))
	p.isOver("app")
	p.says("app", "istio accepted the quit and is still draining")
	p.ends()
	if phase := p.phase(); phase != "Succeeded" {
		t.Errorf("the pod is %s", phase)
	}
}

// A native sidecar is the kubelet's to stop: it is waited for, and not told.
func TestNativeSidecar(t *testing.T) {
	t.Parallel()
	manifest := jobPod("Never", neverSettings, "echo working", []string{"--hold-ready"})
	annotate(manifest, nativeStatus)
	p := play(t, manifest)
	p.until("app", "istio is not ready yet", 1)
	p.releases()
	p.isOver("app")
	p.says("app", "istio is ready", "mode=replace", "istio is a native sidecar, which the kubelet stops", "working")
	p.stop(10 * time.Second)
	if phase := p.phase(); phase != "Succeeded" || strings.Contains(p.log("istio-proxy"), string(yes)) {
		t.Errorf("the pod is %s:\n%s", phase, p.log("istio-proxy"))
	}
}

// Where nothing is injected, nothing is waited for, nor told.
func TestNotInjected(t *testing.T) {
	t.Parallel()
	manifest := jobPod("Never", neverSettings, "echo working", nil)
	delete(at(manifest, "metadata").(object), "annotations")
	spec := at(manifest, "spec").(object)
	spec["containers"] = spec["containers"].([]any)[:1]
	began := time.Now()
	p := play(t, manifest)
	p.ends()
	p.says("app", "the pod is not injected", "mode=replace", "working")
	if phase, took := p.phase(), time.Since(began); phase != "Succeeded" || took > patience/2 {
		t.Errorf("the pod is %s after %v", phase, took)
	}
}

// Linkerd does not quit unless that is allowed: startgate says what to do, and the
// pod stays.
func TestLinkerdRefuses(t *testing.T) {
	t.Parallel()
	manifest := jobPod("Never", []string{"STARTGATE_WAIT_FOR=linkerd", "STARTGATE_QUIT=linkerd"}, "echo working", nil)
	containers := at(manifest, "spec").(object)["containers"].([]any)
	containers[1] = standin("linkerd-proxy", "linkerd", "--shutdown-endpoint=false")
	p := play(t, manifest)
	p.isOver("app")
	p.says("app", "working", "linkerd did not accept the quit: ", "status 404", "config.linkerd.io/proxy-admin-shutdown: enabled")
	if phase := p.phase(); phase != "Running" {
		t.Errorf("the pod is %s", phase)
	}
}
