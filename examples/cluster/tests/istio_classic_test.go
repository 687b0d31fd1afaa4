package tests

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Beside a classic sidecar the application starts before its proxy: without startgate, what
// it asks outside the pod is refused.
func TestIstioClassic(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	pod := m.create(m.app("without", withoutStartgate))
	end := m.waitForEnds(pod, "app", 1)[0]
	if log := m.log(pod, "app"); end.ExitCode != 1 || !strings.Contains(log, "Connection refused") {
		t.Errorf("the application exited with %d:\n%s", end.ExitCode, log)
	}
	pod = m.create(m.app("with"))
	if seen, _ := m.pod(pod); len(seen.Spec.Containers) > 0 {
		t.Logf("containers %v, init containers %v", names(seen.Spec.Containers), names(seen.Spec.InitContainers))
	}
	m.checkServes(pod)
	t.Log(m.log(pod, "app"))
}

func names(containers []corev1.Container) (names []string) {
	for _, container := range containers {
		names = append(names, container.Name)
	}
	return names
}
