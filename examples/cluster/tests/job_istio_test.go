package tests

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// The Jobs of examples/job-istio, as they are, complete beside each kind of sidecar and
// without one.
func TestJobIstioExample(t *testing.T) {
	for _, file := range []string{"never", "on-failure"} {
		for sidecar, change := range map[string][2]string{
			"classic":      {"", ""},
			"native":       {"labels:\n", "annotations: {" + nativeSidecar + `: "true"}` + "\n      labels:\n"},
			"not injected": {injectLabel + `: "true"`, injectLabel + `: "false"`},
		} {
			t.Run(file+"/"+sidecar, func(t *testing.T) {
				t.Parallel()
				n := newNamespace(t)
				manifest, err := os.ReadFile("../../job-istio/" + file + ".yaml")
				if err != nil {
					t.Fatal(err)
				}
				n.apply(strings.Replace(string(manifest), change[0], change[1], 1))
				job := map[string]string{"never": "job", "on-failure": "job-on-failure"}[file]
				if end, reason := n.waitForJob(job); end != batchv1.JobComplete {
					t.Errorf("the Job is %s: %s", end, reason)
				}
				pod := n.podOfJob(job)
				if log := n.log(pod, "job"); !strings.Contains(log, "app is done") {
					t.Errorf("the application has not worked:\n%s", log)
				}
				if codes := fmt.Sprint(n.codes(pod, "istio-proxy")); sidecar == "classic" && codes != "[0]" {
					t.Errorf("the sidecar ended with %v", codes)
				}
			})
		}
	}
}

// Without STARTGATE_QUIT the sidecar keeps the pod, and so the Job, for ever.
func TestJobIsKeptBySidecar(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	job := n.createJob(aPod("kept", "echo works"))
	pod := n.podOfJob(job)
	n.waitForEnds(pod, "app", 1)
	n.eventually("the sidecar is ready", func() bool { return n.status(pod, "istio-proxy").Ready })
	if seen, _ := n.pod(pod); seen.Status.Phase != corev1.PodRunning || len(n.endsOf(pod, "istio-proxy")) > 0 {
		t.Errorf("the pod is %s", seen.Status.Phase)
	}
}

// With OnFailure the Job counts the restarts of all containers of its pod: with backoffLimit
// 0 a sidecar that is restarted fails a Job whose application works.
func TestBackoffLimitCountsSidecar(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	job := n.createJob(aPod("counted", exitsOnTERM, restart(corev1.RestartPolicyOnFailure), settings("STARTGATE_QUIT=istio", "STARTGATE_QUIT_ON=success")))
	pod := n.podOfJob(job)
	n.waitForLog(pod, "app", "works")
	n.signal(pod, "istio-proxy", syscall.SIGKILL)
	if end, reason := n.waitForJob(job); end != batchv1.JobFailed || reason != batchv1.JobReasonBackoffLimitExceeded {
		t.Errorf("the Job is %s: %s", end, reason)
	}
	n.waitUntilGone(pod)
}
