package tests

// An application that cannot be started ends before the kubelet has started the sidecar of
// its pod, as when the sidecar's image is still being pulled.

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// mistakes are the ways in which startgate ends before it starts anything.
var mistakes = map[string]struct {
	change func(*corev1.Pod)
	code   int32
	says   string
}{
	"no such program": {program("/missing"), 127, "/missing"},
	"cannot be run":   {program("/tmp"), 126, "/tmp"},
	"wrong setting":   {settings("STARTGATE_BACKOFF_MAX=soon"), 125, "STARTGATE_BACKOFF_MAX"},
	"wrong usage":     {usageError, 125, "--wiat"},
}

func usageError(pod *corev1.Pod) {
	pod.Spec.Containers[0].Command, pod.Spec.Containers[0].Args = []string{"/startgate", "--wiat"}, nil
}

// afterMistake returns a pod with a mistake, beside a sidecar that listens only when the test
// says so.
func afterMistake(change func(*corev1.Pod)) *corev1.Pod {
	return aPod("late", "echo works", sidecar("--hold-start"), settings("STARTGATE_QUIT=istio", "STARTGATE_QUIT_TIMEOUT=1s"), change)
}

// startgate says at once what is wrong. Then it waits for the sidecar, for longer than
// STARTGATE_QUIT_TIMEOUT, and asks it to shut down as soon as it listens.
func TestLateSidecar(t *testing.T) {
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			job := n.createJob(afterMistake(mistake.change))
			pod := n.podOfJob(job)
			n.waitForLog(pod, "app", "event=quit_waiting")
			if message := n.kubectl("exec", pod, "-c", "app", "--", "cat", "/dev/termination-log"); !strings.Contains(message, mistake.says) {
				t.Errorf("while it waits, the termination message is %q", message)
			}
			n.waitForLog(pod, "istio-proxy", "starts")
			waiting := n.timeOf(pod, "app", "event=quit_waiting")
			n.eventually("STARTGATE_QUIT_TIMEOUT has passed", func() bool { return time.Since(waiting) > 5*time.Second })
			n.letListen(pod)
			n.checkFailedLate(job, pod, mistake.code, mistake.says)
		})
	}
}

// The same, with an image of the sidecar that cannot be pulled at first.
func TestLateSidecarImage(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := aPod("late", "", program("/missing"), notInjected, settings("STARTGATE_QUIT=istio", "STARTGATE_QUIT_TIMEOUT=1s"))
	pod.Annotations["sidecar.istio.io/status"] = `{"containers":["istio-proxy"]}`
	pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
		Name: "istio-proxy", Image: "localhost/missing:1", ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{"istio"},
	})
	n.create(pod)
	n.waitForLog("late", "app", "event=quit_waiting")
	n.eventually("the kubelet backs off", func() bool {
		waiting := n.status("late", "istio-proxy").State.Waiting
		return waiting != nil && waiting.Reason == "ImagePullBackOff"
	})
	n.kubectl("set", "image", "pod/late", "istio-proxy=localhost/standin:1")
	n.waitForPhase("late", corev1.PodFailed)
	if codes := fmt.Sprint(n.codes("late", "app"), n.codes("late", "istio-proxy")); codes != "[127] [0]" {
		t.Errorf("codes %s", codes)
	}
}

// checkFailedLate checks that the pod is Failed with this code, and that what was wrong was
// said before the sidecar listened.
func (n *namespace) checkFailedLate(job, pod string, code int32, says string) {
	n.Helper()
	if end, reason := n.waitForJob(job); end != batchv1.JobFailed || reason != batchv1.JobReasonBackoffLimitExceeded {
		n.Errorf("the Job is %s: %s", end, reason)
	}
	n.waitForPhase(pod, corev1.PodFailed)
	end := n.waitForEnds(pod, "app", 1)[0]
	if end.ExitCode != code || !strings.Contains(end.Message, says) {
		n.Errorf("code %d, want %d; the termination message is %q", end.ExitCode, code, end.Message)
	}
	listens, asked := n.timeOf(pod, "istio-proxy", "listens"), n.timeOf(pod, "istio-proxy", "was asked to shut down")
	if said := n.timeOf(pod, "app", says); !said.Before(listens) {
		n.Errorf("it said what was wrong at %v, and the sidecar listened at %v", said, listens)
	}
	n.Logf("the sidecar was asked %v after it listened", asked.Sub(listens))
}

// kubectl delete ends that wait: the code stays what it was, long before the end of the grace
// period.
func TestLateSidecarDeleted(t *testing.T) {
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			p := afterMistake(mistake.change)
			seconds := int64(3600)
			p.Spec.TerminationGracePeriodSeconds = &seconds
			pod := n.create(p)
			n.waitForLog(pod, "app", "event=quit_waiting")
			n.waitForLog(pod, "istio-proxy", "starts")
			n.kubectl("delete", "pod", pod, "--wait=false")
			n.waitUntilGone(pod)
			if codes := fmt.Sprint(n.codes(pod, "app")); codes != fmt.Sprint([]int32{mistake.code}) {
				t.Errorf("codes %s, want %d", codes, mistake.code)
			}
		})
	}
}

// With OnFailure and backoffLimit 0 a sidecar that is restarted fails the Job, and the
// application, which works, gets TERM.
func TestSidecarRestartEndsApplication(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := aPod("counted", "trap 'exit 42' TERM; echo works; sleep 3600 & wait $!",
		restart(corev1.RestartPolicyOnFailure), settings("STARTGATE_QUIT=istio", "STARTGATE_QUIT_ON=success"))
	seconds := int64(3600)
	pod.Spec.TerminationGracePeriodSeconds = &seconds
	job := n.createJob(pod)
	name := n.podOfJob(job)
	n.waitForLog(name, "app", "works")
	n.signal(name, "istio-proxy", syscall.SIGKILL)
	if end, reason := n.waitForJob(job); end != batchv1.JobFailed || reason != batchv1.JobReasonBackoffLimitExceeded {
		t.Errorf("the Job is %s: %s", end, reason)
	}
	n.waitUntilGone(name)
	if codes := fmt.Sprint(n.codes(name, "app")); codes != "[42]" {
		t.Errorf("the application ended with %s: it got no TERM", codes)
	}
}
