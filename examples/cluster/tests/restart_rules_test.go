package tests

import (
	"fmt"
	"syscall"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// codes are startgate's own exit codes, and how each comes about. Nothing is injected, so
// that no sidecar keeps the pod.
var codes = map[int32]struct {
	setting string
	do      func(*namespace, string)
}{
	124: {"STARTGATE_TIMEOUT=1s", nil},
	125: {"STARTGATE_TIMEOUT=1", nil},
	143: {"STARTGATE_TIMEOUT=0", func(n *namespace, pod string) {
		n.waitForLog(pod, "app", "waiting for")
		n.signal(pod, "app", syscall.SIGTERM)
	}},
}

// waitsInVain is a pod that ends with a code of startgate's own.
func waitsInVain(setting string) *corev1.Pod {
	return aPod("p", "echo works", notInjected, settings("STARTGATE_WAIT_FOR=tcp://127.0.0.1:9", setting))
}

// A podFailurePolicy can tell startgate's exit codes from the application's.
func TestPodFailurePolicy(t *testing.T) {
	policy := &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		exitRule(batchv1.PodFailurePolicyActionIgnore, 124, 143),
		exitRule(batchv1.PodFailurePolicyActionFailJob, 125),
	}}
	for code, how := range codes {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			job := n.createJob(waitsInVain(how.setting), func(job *batchv1.Job) { job.Spec.PodFailurePolicy = policy })
			pod := n.podOfJob(job)
			if how.do != nil {
				how.do(n, pod)
			}
			if got := n.waitForEnds(pod, "app", 1)[0].ExitCode; got != code {
				t.Errorf("the application's container ended with %d", got)
			}
			if code == 125 {
				if end, reason := n.waitForJob(job); end != batchv1.JobFailed || reason != batchv1.JobReasonPodFailurePolicy {
					t.Errorf("the Job is %s: %s", end, reason)
				}
				return
			}
			n.eventually("a second pod, although backoffLimit is 0", func() bool { return len(n.podNames()) > 1 })
		})
	}
}

func exitRule(action batchv1.PodFailurePolicyAction, codes ...int32) batchv1.PodFailurePolicyRule {
	app := "app"
	return batchv1.PodFailurePolicyRule{
		Action: action,
		OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
			ContainerName: &app, Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: codes,
		},
	}
}

// Restart rules of a container restart it in the same pod by its code, whatever the pod's
// restartPolicy.
func TestContainerRestartRules(t *testing.T) {
	never := corev1.ContainerRestartPolicyNever
	for code, how := range codes {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			p := waitsInVain(how.setting)
			p.Spec.Containers[0].RestartPolicy = &never
			p.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{
				Action:    corev1.ContainerRestartRuleActionRestart,
				ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{124, 143}},
			}}
			pod := n.create(p)
			if how.do != nil {
				how.do(n, pod)
			}
			if got := n.waitForEnds(pod, "app", 1)[0].ExitCode; got != code {
				t.Errorf("the application's container ended with %d", got)
			}
			if code == 125 {
				n.waitForPhase(pod, corev1.PodFailed)
				return
			}
			n.eventually("it is restarted", func() bool { return n.status(pod, "app").RestartCount > 0 })
		})
	}
}
