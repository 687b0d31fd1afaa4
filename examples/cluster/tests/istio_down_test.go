package tests

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/startgate/startgate/examples/cluster/istio"
)

// Pods that were injected while istiod was there, and start while it is not, wait. What
// they say leads to istiod, and they start when it comes back.
func TestIstioIstiodDown(t *testing.T) { // not in parallel: all pods need istiod
	m := newMesh(t)
	gives := m.create(m.app("gives-up", gated, settings("STARTGATE_TIMEOUT=20s")))
	waits := m.create(m.app("waits", gated))
	m.scaleIstiod(0)
	defer m.scaleIstiod(1)
	m.openGate(gives)
	m.openGate(waits)
	end := m.waitForEnds(gives, "app", 1)[0]
	if end.ExitCode != 124 || !strings.Contains(end.Message, "istiod is out of reach") {
		t.Errorf("code %d, %q", end.ExitCode, end.Message)
	}
	t.Log(end.Message)
	t.Log(lastLine(m.log(gives, "istio-proxy"), "NOT ready"))
	m.scaleIstiod(1)
	m.checkServes(waits)
}

// gated keeps the pod from being scheduled.
func gated(pod *corev1.Pod) {
	pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "test/gate"}}
}

func (m mesh) openGate(pod string) {
	m.Helper()
	m.kubectl("patch", "pod", pod, "--type=json", `--patch=[{"op": "remove", "path": "/spec/schedulingGates"}]`)
}

// scaleIstiod waits until as many istiods are ready, and no other is there.
func (m mesh) scaleIstiod(replicas int32) {
	m.Helper()
	deployments := cluster.Client.AppsV1().Deployments(istio.Namespace)
	scale, err := deployments.GetScale(m.Context(), "istiod", metav1.GetOptions{})
	if err != nil {
		m.Fatal(err)
	}
	scale.Spec.Replicas = replicas
	if _, err := deployments.UpdateScale(m.Context(), "istiod", scale, metav1.UpdateOptions{}); err != nil {
		m.Fatal(err)
	}
	m.eventually("istiod's pods", func() bool {
		pods, err := cluster.Client.CoreV1().Pods(istio.Namespace).List(m.Context(), metav1.ListOptions{})
		deployment, failed := deployments.Get(m.Context(), "istiod", metav1.GetOptions{})
		return err == nil && failed == nil && len(pods.Items) == int(replicas) && deployment.Status.ReadyReplicas == replicas
	})
}
