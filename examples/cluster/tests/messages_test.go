package tests

// What kubectl shows of a container's end, and of the pod meanwhile.

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A container whose terminationMessagePath is another has the end of startgate's log as its
// message, if terminationMessagePolicy says so, and none otherwise.
func TestTerminationMessagePath(t *testing.T) {
	for policy, want := range map[corev1.TerminationMessagePolicy]string{
		corev1.TerminationMessageFallbackToLogsOnError: "level=ERROR msg=\"cannot start sh: " + gaveUp,
		corev1.TerminationMessageReadFile:              "",
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			pod := aPod("p", "echo works", sidecar("--hold-ready"), settings("STARTGATE_TIMEOUT=2s", "STARTGATE_QUIT=istio"))
			pod.Spec.Containers[0].TerminationMessagePath, pod.Spec.Containers[0].TerminationMessagePolicy = "/tmp/x", policy
			n.create(pod)
			end := n.waitForEnds("p", "app", 1)[0]
			if end.ExitCode != 124 || !strings.Contains(end.Message, want) || want == "" && end.Message != "" {
				t.Errorf("code %d, %q", end.ExitCode, end.Message)
			}
			n.waitForPhase("p", corev1.PodFailed)
			if described := n.kubectl("describe", "pod", "p"); !strings.Contains(described, want) {
				t.Errorf("kubectl describe has no %q:\n%s", want, described)
			}
		})
	}
}
