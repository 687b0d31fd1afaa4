package tests

// Kubernetes probes of a container in which startgate waits.

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// serves is an application that answers on port 8080.
const serves = "echo works; exec httpd -f -p 8080 -h /tmp"

func probe(seconds, failures int32) *corev1.Probe {
	return &corev1.Probe{
		PeriodSeconds: seconds, FailureThreshold: failures,
		ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}},
	}
}

// A startupProbe whose budget is smaller than STARTGATE_TIMEOUT, or a livenessProbe without
// a startupProbe, ends the wait: code 143 instead of 124.
func TestProbeEndsWait(t *testing.T) {
	for name, set := range map[string]func(*corev1.Container){
		"startupProbe":  func(c *corev1.Container) { c.StartupProbe = probe(1, 3) },
		"livenessProbe": func(c *corev1.Container) { c.LivenessProbe = probe(1, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			pod := aPod("p", serves, sidecar("--ready-after=1h"), restart(corev1.RestartPolicyAlways))
			set(&pod.Spec.Containers[0])
			n.create(pod)
			end := n.waitForEnds("p", "app", 1)[0]
			if end.ExitCode != 143 || !strings.Contains(end.Message, endedByTERM) {
				t.Errorf("code %d: %s", end.ExitCode, end.Message)
			}
			n.waitForEnds("p", "app", 2) // it is restarted, and waits again
		})
	}
}

// A startupProbe with a larger budget leaves the end to startgate, and holds the others
// back.
func TestProbeWaits(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := aPod("p", serves, sidecar("--hold-ready"), restart(corev1.RestartPolicyAlways))
	app := &pod.Spec.Containers[0]
	app.StartupProbe, app.LivenessProbe, app.ReadinessProbe = probe(1, 600), probe(1, 1), probe(1, 1)
	n.create(pod)
	n.waitForLog("p", "istio-proxy", "listens")
	n.waitForLog("p", "app", logWaiting)
	n.eventually("the startupProbe has failed", func() bool {
		return strings.Contains(n.kubectl("get", "events"), "Startup probe failed: dial")
	})
	n.letBecomeReady("p")
	n.eventually("the application is ready", func() bool { return n.status("p", "app").Ready })
	if codes := n.codes("p", "app"); len(codes) > 0 {
		t.Errorf("its container has ended with %v", codes)
	}
}

// With STARTGATE_TIMEOUT=0 the limit is the startupProbe's alone.
func TestProbeWithoutTimeout(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := aPod("p", serves, sidecar("--ready-after=1h"), settings("STARTGATE_TIMEOUT=0"))
	pod.Spec.Containers[0].StartupProbe = probe(1, 10)
	n.create(pod)
	if end := n.waitForEnds("p", "app", 1)[0]; end.ExitCode != 143 {
		t.Errorf("code %d: %s", end.ExitCode, end.Message)
	}
}

// Another container's exec probe can ask startgate, in its own image. kubectl get events has
// the first line of what the probe prints, which at the level error is the reason.
func TestExecProbes(t *testing.T) {
	for _, flag := range []string{"--wait", "--check"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			pod := aPod("p", served, sidecar("--hold-ready"), withoutStartgate, settings("STARTGATE_TIMEOUT=1s", "STARTGATE_LOG_LEVEL=error"))
			pod.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
				PeriodSeconds: 1, TimeoutSeconds: 30,
				ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/startgate", flag}}},
			}
			n.create(pod)
			n.waitForLog("p", "istio-proxy", "listens")
			if flag == "--wait" {
				n.eventually("the probe has failed", func() bool { return strings.Contains(n.kubectl("get", "events"), gaveUp) })
				if n.status("p", "app").Ready {
					t.Error("the container is ready before its sidecar")
				}
				n.letBecomeReady("p")
			}
			n.eventually("the container is ready", func() bool { return n.status("p", "app").Ready })
		})
	}
}
