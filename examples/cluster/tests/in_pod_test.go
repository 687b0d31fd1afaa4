package tests

// startgate sees that it runs in a pod, whatever the pod leaves out.

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func noServiceLinks(pod *corev1.Pod) { no := false; pod.Spec.EnableServiceLinks = &no }
func noServiceToken(pod *corev1.Pod) { no := false; pod.Spec.AutomountServiceAccountToken = &no }
func onHostNetwork(pod *corev1.Pod)  { pod.Spec.HostNetwork = true }
func otherMessage(pod *corev1.Pod)   { pod.Spec.Containers[0].TerminationMessagePath = "/tmp/x" }

// noServiceHost makes the variable empty. It is not there in a static pod that the kubelet
// starts before it has read the Services.
func noServiceHost(pod *corev1.Pod) { settings("KUBERNETES_SERVICE_HOST=")(pod) }

// In no pod is the hint that this is not one.
func TestInPod(t *testing.T) {
	for name, option := range map[string]func(*corev1.Pod){
		"as usual":                            func(*corev1.Pod) {},
		"enableServiceLinks: false":           noServiceLinks,
		"automountServiceAccountToken: false": noServiceToken,
		"hostNetwork":                         onHostNetwork,
		"terminationMessagePath":              otherMessage,
		"no variable of the kubelet's":        noServiceHost,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			// Nothing of the tests' node listens on Linkerd's port.
			pod := aPod("p", "echo works", notInjected, unset, settings("STARTGATE_WAIT_FOR=linkerd"), option)
			n.create(pod)
			n.checkInPod("p")
		})
	}
}

// checkInPod reads the lines after one, two and ten seconds, which have the hints.
func (n *namespace) checkInPod(pod string) {
	n.Helper()
	n.waitForLog(pod, "app", "elapsed=10s")
	if log := n.log(pod, "app"); strings.Contains(log, "not a pod") || !strings.Contains(log, "hint=") {
		n.Errorf("the log is\n%s", log)
	}
}

// Nor in a static pod.
func TestInStaticPod(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := aPod("static", "echo works", notInjected, unset, settings("STARTGATE_WAIT_FOR=linkerd"))
	n.createStatic(pod)
	n.checkInPod("static-node")
}
