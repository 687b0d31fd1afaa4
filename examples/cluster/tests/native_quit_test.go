package tests

import (
	"syscall"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// A native sidecar is asked to shut down where STARTGATE_SIDECAR_STATUS does not say that it
// is one. The kubelet restarts it, and stops it then. The Job completes all the same.
func TestNativeSidecarIsAsked(t *testing.T) {
	for _, policy := range []corev1.RestartPolicy{corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			job := n.createJob(aPod("asked", "echo works", annotated(nativeSidecar), unset, settings("STARTGATE_QUIT=istio"), restart(policy)))
			end, reason := n.waitForJob(job)
			pod := n.podOfJob(job)
			t.Logf("the Job is %s: %s; the sidecar's codes are %v, its restarts %d", end, reason,
				n.codes(pod, "istio-proxy"), n.status(pod, "istio-proxy").RestartCount)
			if end != batchv1.JobComplete {
				t.Errorf("the Job is %s: %s", end, reason)
			}
			if codes := n.codes(pod, "app"); len(codes) != 1 || codes[0] != 0 {
				t.Errorf("the application's codes are %v", codes)
			}
		})
	}
}

// The kubelet restarts a native sidecar that exits while another container works. With
// OnFailure the Job counts that.
func TestNativeSidecarRestartCounts(t *testing.T) {
	for policy, want := range map[corev1.RestartPolicy]batchv1.JobConditionType{
		corev1.RestartPolicyNever: batchv1.JobComplete, corev1.RestartPolicyOnFailure: batchv1.JobFailed,
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			pod := aPod("asked", "echo works", annotated(nativeSidecar), unset, settings("STARTGATE_QUIT=istio"), restart(policy))
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
				Name: "second", Image: "docker.io/library/busybox:stable", Command: []string{"sh", "-c", exitsOnUSR1},
			})
			job := n.createJob(pod)
			name := n.podOfJob(job)
			n.eventually("the sidecar is restarted", func() bool { return n.status(name, "istio-proxy").RestartCount > 0 })
			if want == batchv1.JobComplete {
				n.waitForLog(name, "second", "works")
				n.signal(name, "second", syscall.SIGUSR1)
			}
			if end, reason := n.waitForJob(job); end != want {
				t.Errorf("the Job is %s: %s", end, reason)
			}
		})
	}
}
