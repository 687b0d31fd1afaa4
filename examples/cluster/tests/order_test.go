package tests

// The order in which a kubelet starts an application and its sidecar, by the kind of the
// sidecar.

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const served = "echo works; exec sleep 3600"

// The kubelet starts the application when the startupProbe of a native sidecar has
// succeeded.
func TestNativeSidecar(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.create(aPod("p", "echo works", annotated(nativeSidecar), sidecar("--hold-ready")))
	n.waitForLog(pod, "istio-proxy", "listens")
	n.eventually("an event of the startupProbe", func() bool {
		return strings.Contains(n.kubectl("get", "events"), "Startup probe failed")
	})
	if status := n.status(pod, "app"); status.ContainerID != "" {
		t.Errorf("the application's container is there: %+v", status)
	}
	n.letBecomeReady(pod)
	if end := n.waitForEnds(pod, "app", 1)[0]; end.ExitCode != 0 {
		t.Errorf("code %d", end.ExitCode)
	}
	n.waitForPhase(pod, corev1.PodSucceeded)
}

// Without a startupProbe it starts the application at once, and startgate waits.
func TestNativeSidecarWithoutStartupProbe(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	always := corev1.ContainerRestartPolicyAlways
	pod := aPod("p", "echo works", notInjected)
	pod.Annotations["sidecar.istio.io/status"] = `{"initContainers":["istio-proxy"]}`
	pod.Spec.InitContainers = []corev1.Container{{
		Name: "istio-proxy", Image: "localhost/standin:1", Args: []string{"istio", "--hold-ready"}, RestartPolicy: &always,
	}}
	name := n.create(pod)
	n.waitForLog(name, "app", logWaiting)
	n.waitForLog(name, "istio-proxy", "listens")
	n.letBecomeReady(name)
	if end := n.waitForEnds(name, "app", 1)[0]; end.ExitCode != 0 {
		t.Errorf("code %d", end.ExitCode)
	}
	n.waitForPhase(name, corev1.PodSucceeded)
}

// held returns a pod whose sidecar is first and has a postStart hook that lasts until the
// sidecar is ready, as with holdApplicationUntilProxyStarts, for this long at most.
func held(command, limit string) *corev1.Pod {
	pod := aPod("p", served, notInjected, restart(corev1.RestartPolicyAlways), withState)
	pod.Annotations["sidecar.istio.io/status"] = `{"containers":["istio-proxy"]}`
	hook := &corev1.ExecAction{Command: []string{"/startgate", "--wait"}}
	proxy := corev1.Container{
		Name: "istio-proxy", Image: "localhost/hold:1", Command: []string{"sh", "-c", command},
		Env:          []corev1.EnvVar{{Name: "STARTGATE_TIMEOUT", Value: limit}},
		Lifecycle:    &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Exec: hook}},
		VolumeMounts: pod.Spec.Containers[0].VolumeMounts,
	}
	pod.Spec.Containers = append([]corev1.Container{proxy}, pod.Spec.Containers...)
	return pod
}

// A hook that works holds the application back.
func TestHoldByPostStart(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.create(held("exec /standin istio --ready-after=5s", "0"))
	n.waitForLog(pod, "app", "works")
	app, proxy := n.status(pod, "app").State.Running, n.status(pod, "istio-proxy").State.Running
	// The kubelet's times have whole seconds.
	if between := app.StartedAt.Sub(proxy.StartedAt.Time); between < 4*time.Second {
		t.Errorf("the application was started %v after the sidecar", between)
	}
}

// A hook that fails, as when it takes longer than its limit, does not: the kubelet kills the
// sidecar and starts the application all the same. startgate waits for the sidecar's next
// try.
func TestHoldByPostStartFails(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	const slowFirst = "[ ! -e /state/tried ] || exec /standin istio; touch /state/tried; exec /standin istio --ready-after=1h"
	pod := n.create(held(slowFirst, "2s"))
	n.eventually("an event of the hook", func() bool {
		return strings.Contains(n.kubectl("get", "events"), "FailedPostStartHook")
	})
	n.waitForLog(pod, "app", logWaiting)
	n.waitForLog(pod, "app", "works")
	n.eventually("the sidecar is restarted", func() bool { return n.status(pod, "istio-proxy").RestartCount > 0 })
	if codes := n.codes(pod, "app"); len(codes) > 0 {
		t.Errorf("the application's container has ended with %v", codes)
	}
}

// An init container that waits for a classic sidecar waits in vain: the kubelet starts the
// sidecar after all init containers. A native one is started before.
func TestInitContainerWaits(t *testing.T) {
	for name, test := range map[string]struct {
		sidecar func(*corev1.Pod)
		code    int32
		phase   corev1.PodPhase
	}{
		"classic": {func(*corev1.Pod) {}, 124, corev1.PodFailed},
		"native":  {annotated(nativeSidecar), 0, corev1.PodSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			pod := aPod("p", "echo works", test.sidecar)
			pod.Spec.InitContainers = []corev1.Container{{
				Name: "first", Image: "registry.example/startgate:1", Command: []string{"/startgate", "--wait"},
				Env: []corev1.EnvVar{statusFromAnnotation, {Name: "STARTGATE_TIMEOUT", Value: "15s"}},
			}}
			n.create(pod)
			if end := n.waitForEnds("p", "first", 1)[0]; end.ExitCode != test.code {
				t.Errorf("code %d, want %d: %s", end.ExitCode, test.code, end.Message)
			}
			n.waitForPhase("p", test.phase)
			if started := n.status("p", "app").ContainerID != ""; started != (test.code == 0) {
				t.Errorf("the application's container was made: %t", started)
			}
		})
	}
}

// The cure: Vault's agent is a sidecar too, and the application waits for both.
func TestVaultExample(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	manifest, err := os.ReadFile("../../vault/pod.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n.kubectl("create", "serviceaccount", "app")
	n.apply(string(manifest))
	n.waitForLog("app", "vault-agent", "agent starts")
	n.eventually("the sidecar is ready", func() bool { return n.status("app", "istio-proxy").Ready })
	n.waitForLog("app", "app", waitingFor("file:///vault/secrets/db"))
	if strings.Contains(n.log("app", "app"), "app starts") {
		t.Error("the application has not waited for the secret")
	}
	n.signal("app", "vault-agent", syscall.SIGUSR1) // write it
	n.waitForLog("app", "app", "app starts")
}
