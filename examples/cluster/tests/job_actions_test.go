package tests

// What the tests do to Jobs.

import (
	"fmt"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// whenWorking does something as soon as the application works.
func whenWorking(do func(n *namespace, job, pod string)) func(n *namespace, job, pod string) {
	return func(n *namespace, job, pod string) {
		n.Helper()
		n.waitForLog(pod, "app", "works")
		do(n, job, pod)
	}
}

// passDeadline lets the Job's activeDeadlineSeconds pass. It is set only now, so that it
// cannot pass too early on a busy machine.
func passDeadline(n *namespace, job, _ string) {
	n.Helper()
	patch := []byte(`{"spec":{"activeDeadlineSeconds":1}}`)
	if _, err := cluster.Client.BatchV1().Jobs(n.name).Patch(n.Context(), job, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		n.Fatal(err)
	}
}

var deleteJob = whenWorking(func(n *namespace, job, _ string) { n.kubectl("delete", "job", job, "--wait=false") })

var killContainer = whenWorking(func(n *namespace, _, pod string) { n.signal(pod, "app", syscall.SIGKILL) })

func killContainerAndPassDeadline(n *namespace, job, pod string) {
	killContainer(n, job, pod)
	n.waitForEnds(pod, "app", 1)
	n.checkStays(pod)
	passDeadline(n, job, pod)
}

// checkStays checks that the pod is kept by its sidecar, which nobody has asked to shut
// down: it answers, and kubelet has seen that after the application's end.
func (n *namespace) checkStays(pod string) {
	n.Helper()
	n.eventually("the sidecar is ready", func() bool { return n.status(pod, "istio-proxy").Ready })
	seen, _ := n.pod(pod)
	if codes := n.codes(pod, "istio-proxy"); seen.Status.Phase != corev1.PodRunning || len(codes) > 0 {
		n.Errorf("the pod is %s, the sidecar has ended with %s", seen.Status.Phase, fmt.Sprint(codes))
	}
}

func endWaitByTERM(n *namespace, _, pod string) {
	n.Helper()
	n.waitForLog(pod, "istio-proxy", "listens")
	n.waitForLog(pod, "app", logWaiting)
	n.signal(pod, "app", syscall.SIGTERM)
}

// killSidecar kills the sidecar, waits until it has ended, and where it is restarted until it
// is ready again, and lets the application exit.
var killSidecar = whenWorking(func(n *namespace, _, pod string) {
	n.signal(pod, "istio-proxy", syscall.SIGKILL)
	n.waitForEnds(pod, "istio-proxy", 1)
	if seen, _ := n.pod(pod); seen.Spec.RestartPolicy != corev1.RestartPolicyNever {
		n.eventually("the sidecar is ready again", func() bool {
			status := n.status(pod, "istio-proxy")
			return status.RestartCount > 0 && status.Ready
		})
	}
	n.signal(pod, "app", syscall.SIGUSR1) // startgate forwards it
})

// endSidecarWith0 makes the sidecar exit with code 0, and then the application.
var endSidecarWith0 = whenWorking(func(n *namespace, _, pod string) {
	n.signal(pod, "istio-proxy", syscall.SIGTERM)
	n.waitForEnds(pod, "istio-proxy", 1)
	n.signal(pod, "app", syscall.SIGUSR1)
})

// letListenLate starts the sidecar when startgate has waited for it for longer than
// STARTGATE_QUIT_TIMEOUT, which is 1s.
func letListenLate(n *namespace, _, pod string) {
	n.Helper()
	n.waitForLog(pod, "istio-proxy", "starts")
	n.waitForLog(pod, "app", logComesLate)
	time.Sleep(2 * time.Second)
	n.letListen(pod)
}
