package tests

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

var hold = map[string]any{"holdApplicationUntilProxyStarts": true}

// Where the mesh orders the start itself, startgate is not needed, and costs little.
func TestIstioOrdered(t *testing.T) {
	for name, options := range map[string][]func(*corev1.Pod){
		"native": {native(true)},
		"hold":   {proxy(hold, "ENVOY_INIT=2s")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			m.checkServes(m.create(m.app("without", append(slices.Clone(options), withoutStartgate)...)))
			pod := m.create(m.app("with", options...))
			m.checkServes(pod)
			t.Log(m.log(pod, "app"))
			// A Job of it ends, whether the kubelet ends the sidecar or startgate.
			m.checkJob(m.job("job", append(slices.Clone(options), settings("STARTGATE_QUIT=istio"))...))
		})
	}
}

// The hook that holds the application fails after a minute, and the kubelet kills the
// sidecar. Where containers are not restarted, the application is then without.
func TestIstioHoldIsOver(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	slow := proxy(hold, "ENVOY_INIT=1h")
	without := m.create(m.app("without", withoutStartgate, slow))
	with := m.create(m.app("with", slow, settings("STARTGATE_TIMEOUT=10s")))
	end := m.waitForEnds(without, "app", 1)[0]
	if log := m.log(without, "app"); end.ExitCode != 1 || !strings.Contains(log, "Connection refused") {
		t.Errorf("the application exited with %d:\n%s", end.ExitCode, log)
	}
	end = m.waitForEnds(with, "app", 1)[0]
	if codes := m.codes(with, "istio-proxy"); end.ExitCode != 124 || len(codes) != 1 {
		t.Errorf("code %d, and the sidecar's codes %v", end.ExitCode, codes)
	}
	t.Log(end.Message, m.codes(with, "istio-proxy"))
}

// The webhook leaves the pod alone: the annotation is absent, and nothing is waited for.
func TestIstioNotInjected(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	pod := m.create(m.app("pod", notInjected))
	m.checkServes(pod)
	if log := m.log(pod, "app"); strings.Contains(log, logWaiting) {
		t.Errorf("startgate has waited:\n%s", log)
	}
	if seen, _ := m.pod(pod); len(seen.Spec.Containers)+len(seen.Spec.InitContainers) != 1 {
		t.Errorf("the pod was injected: %v", names(seen.Spec.Containers))
	}
}

// An init container waits for a classic sidecar in vain, since that starts after it.
func TestIstioInitContainer(t *testing.T) {
	for name, option := range map[string]func(*corev1.Pod){
		"annotation": func(*corev1.Pod) {},
		"not set":    func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Env = pod.Spec.InitContainers[0].Env[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			pod := m.create(m.app("pod", initContainer, option))
			end := m.waitForEnds(pod, "init", 1)[0]
			if end.ExitCode != 124 {
				t.Errorf("the init container ended with %d", end.ExitCode)
			}
			seen, _ := m.pod(pod)
			t.Logf("init containers %v\n%s\n%s", names(seen.Spec.InitContainers), m.log(pod, "init"), end.Message)
		})
	}
}

// initContainer adds an init container that waits for the sidecar.
func initContainer(pod *corev1.Pod) {
	pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{
		Name: "init", Image: "localhost/shell:1", Args: []string{"true"},
		Env: []corev1.EnvVar{statusFromAnnotation, {Name: "STARTGATE_TIMEOUT", Value: "15s"}},
	})
}
