package tests

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Istio's agent ends with 0 when its Envoy has crashed. So a pod that is not restarted has
// succeeded when its application has, and OnFailure does not restart the sidecar: the
// application goes on without.
func TestIstioEnvoyCrashes(t *testing.T) {
	for _, policy := range []corev1.RestartPolicy{corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			// It works until its proxy is gone, and some time longer.
			work := script("while redis-cli -e -h " + m.redis + " ping; do sleep 0.5; done; echo the proxy is gone; sleep 15; echo it worked")
			pod := m.create(m.app("pod", work, restart(policy), proxy(nil, "ENVOY_CRASH_AFTER=10s")))
			m.waitForPhase(pod, corev1.PodSucceeded)
			ends := m.endsOf(pod, "istio-proxy")
			if len(ends) != 1 || ends[0].ExitCode != 0 {
				t.Errorf("the sidecar ended with %v", m.codes(pod, "istio-proxy"))
			}
			app := m.endsOf(pod, "app")
			if len(app) != 1 || app[0].ExitCode != 0 || !ends[0].FinishedAt.Before(&app[0].FinishedAt) {
				t.Errorf("the application ended with %v", m.codes(pod, "app"))
			}
		})
	}
}

// With Always, as in a Deployment, the sidecar is restarted.
func TestIstioEnvoyCrashesInService(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	pod := m.create(m.app("pod", restart(corev1.RestartPolicyAlways), proxy(nil, "ENVOY_CRASH_AFTER=10s")))
	m.checkServes(pod)
	if end := m.waitForEnds(pod, "istio-proxy", 1)[0]; end.ExitCode != 0 {
		t.Errorf("the sidecar ended with %d", end.ExitCode)
	}
	m.eventually("the sidecar is restarted", func() bool { return m.status(pod, "istio-proxy").RestartCount > 0 })
	if codes := m.codes(pod, "app"); len(codes) > 0 {
		t.Errorf("the application ended with %v", codes)
	}
}
