package tests

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// What the kubelet makes of the annotation in STARTGATE_SIDECAR_STATUS, and startgate of
// that: code 0 if the application ran although there was no sidecar, 124 if it was waited
// for.
func TestDownwardAPI(t *testing.T) {
	const annotation = "sidecar.istio.io/status"
	annotate := func(value string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Annotations[annotation] = value }
	}
	for name, test := range map[string]struct {
		options []func(*corev1.Pod)
		code    int32
	}{
		"annotation":                  {[]func(*corev1.Pod){notInjected, annotate("{}")}, 124},
		"empty annotation":            {[]func(*corev1.Pod){notInjected, annotate("")}, 0},
		"no annotation":               {[]func(*corev1.Pod){notInjected}, 0},
		"variable not set":            {[]func(*corev1.Pod){notInjected, unset}, 124},
		"variable not set, annotated": {[]func(*corev1.Pod){notInjected, annotate(""), unset}, 124},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			options := append(test.options, settings("STARTGATE_TIMEOUT=2s"))
			pod := n.create(aPod("p", "echo works", options...))
			if end := n.waitForEnds(pod, "app", 1)[0]; end.ExitCode != test.code {
				t.Errorf("code %d, want %d", end.ExitCode, test.code)
			}
		})
	}
}

// unset leaves STARTGATE_SIDECAR_STATUS out.
func unset(pod *corev1.Pod) { pod.Spec.Containers[0].Env = nil }

// With the injector's own annotation, or without the variable, the application waits for
// the sidecar that is there.
func TestDownwardAPIInjected(t *testing.T) {
	for name, option := range map[string]func(*corev1.Pod){
		"annotation":       func(*corev1.Pod) {},
		"variable not set": unset,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			pod := n.create(aPod("p", "echo works", sidecar("--hold-ready"), option))
			n.waitForLog(pod, "app", logWaiting)
			n.waitUntilRunning(pod, "istio-proxy")
			n.waitForLog(pod, "istio-proxy", "listens")
			released := time.Now()
			n.letBecomeReady(pod)
			end := n.waitForEnds(pod, "app", 1)[0]
			// The kubelet's times have whole seconds.
			if end.ExitCode != 0 || end.FinishedAt.Time.Before(released.Truncate(time.Second)) {
				t.Errorf("code %d at %v, and the sidecar was ready at %v", end.ExitCode, end.FinishedAt, released)
			}
			if codes := fmt.Sprint(n.codes(pod, "app")); codes != "[0]" {
				t.Errorf("codes %s", codes)
			}
		})
	}
}
