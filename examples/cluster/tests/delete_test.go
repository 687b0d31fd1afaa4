package tests

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// kubectl delete ends a pod in each phase of its life, and the container's code is what the
// README says.
func TestDelete(t *testing.T) {
	const long = 3600 // seconds that nobody waits for: the container must end by itself
	for name, test := range map[string]struct {
		pod   *corev1.Pod
		until func(*namespace, string)
		grace int64
		code  int32
		has   string // in the termination message
	}{
		"waiting": {
			aPod("p", "echo works", sidecar("--hold-ready")), waiting, long, 143, endedByTERM,
		},
		"waiting, supervising": {
			aPod("p", "echo works", sidecar("--hold-ready"), settings("STARTGATE_QUIT=istio")), waiting, long, 143, endedByTERM,
		},
		"running": {
			aPod("p", "trap 'echo stops; exit 0' TERM; echo works; sleep 3600 & wait $!"), working, long, 0, "",
		},
		"running, supervised": {
			aPod("p", "trap 'echo stops; exit 0' TERM; echo works; sleep 3600 & wait $!", settings("STARTGATE_QUIT=istio")), working, long, 0, "",
		},
		"running, no handler, as PID 1": {
			aPod("p", "echo works; exec sleep 3600"), working, grace, 137, "",
		},
		"running, no handler, supervised": {
			aPod("p", "echo works; exec sleep 3600", settings("STARTGATE_SUPERVISE=true")), working, long, 143, "",
		},
		"ignoring TERM": {
			aPod("p", "trap '' TERM; echo works; sleep 3600"), working, grace, 137, "",
		},
		"ignoring TERM, supervised": {
			aPod("p", "trap '' TERM; echo works; sleep 3600", settings("STARTGATE_QUIT=istio")), working, grace, 137, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			test.pod.Spec.TerminationGracePeriodSeconds = &test.grace
			pod := n.create(test.pod)
			test.until(n, pod)
			n.kubectl("delete", "pod", pod, "--wait=false")
			n.waitUntilGone(pod)
			if codes := fmt.Sprint(n.codes(pod, "app")); codes != fmt.Sprint([]int32{test.code}) {
				t.Errorf("the application's container ended with %s, want %d", codes, test.code)
			}
			for _, end := range n.endsOf(pod, "app") {
				if !strings.Contains(end.Message, test.has) || test.has == "" && end.Message != "" {
					t.Errorf("the termination message is %q", end.Message)
				}
			}
		})
	}
}

func waiting(n *namespace, pod string) {
	n.waitUntilRunning(pod, "app")
	n.waitForLog(pod, "app", logWaiting)
}

func working(n *namespace, pod string) {
	n.waitUntilRunning(pod, "app")
	n.waitForLog(pod, "app", "works")
}
