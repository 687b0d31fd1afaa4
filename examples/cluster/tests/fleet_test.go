package tests

// The fleet example: kubectl kustomize, and the admission policy in the API server, beside
// a mesh's injector.

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What kubectl kustomize builds waits where it has the label, and nothing else does.
func TestFleetKustomize(t *testing.T) {
	isLong(t)
	t.Parallel()
	n := newNamespace(t)
	n.apply(n.kubectl("kustomize", examples+"/fleet/kustomize/overlay"))
	n.kubectl("create", "job", "now", "--from=cronjob/report")
	web, other, report := n.podOf("web"), n.podOf("other"), n.podOfJob("now")
	n.waitForLog(web, "web", logWaiting)
	n.waitForLog(web, "web", logStarting)
	n.eventually("web is ready", func() bool { return n.isReady(web) })
	if end, reason := n.waitForJob("now"); end != "Complete" {
		t.Errorf("the Job is %s: %s", end, reason)
	}
	if log := n.log(report, "report"); !strings.Contains(log, logStarting) || !strings.Contains(log, "report starts --all") {
		t.Errorf("the CronJob's program has not worked behind startgate:\n%s", log)
	}
	n.waitUntilRunning(other, "other")
	if seen, _ := n.pod(other); len(seen.Spec.InitContainers) > 0 {
		t.Errorf("a workload without the label has %v", seen.Spec.InitContainers)
	}
}

// fleetPod returns a pod of somebody else's image, with the label of the policy.
func fleetPod(name string, options ...func(*corev1.Pod)) *corev1.Pod {
	label := func(pod *corev1.Pod) {
		pod.Labels["startgate"] = "enabled"
		app := &pod.Spec.Containers[0]
		app.Image, app.Command, app.Args, app.Env = "docker.io/library/busybox:stable", []string{"echo"}, []string{"works"}, nil
	}
	return aPod(name, "", append([]func(*corev1.Pod){label, settings("STARTGATE_QUIT=istio")}, options...)...)
}

// The policy makes a pod wait, whether the injector's policy comes before it or after it,
// and with each kind of sidecar. A pod that it cannot make wait is refused.
func TestFleetPolicy(t *testing.T) {
	isLong(t)
	n := newNamespace(t)
	if !isStable() {
		t.Skip("the policy needs Kubernetes 1.36")
	}
	policy := examples + "/fleet/policy/policy.yaml"
	n.kubectl("apply", "-f", policy)
	t.Cleanup(func() { n.kubectl("delete", "-f", policy) })
	for _, order := range []string{"startgate, istio-proxy", "istio-proxy, startgate"} {
		n.waitForOrder(order)
		for kind, option := range map[string]func(*corev1.Pod){"classic": sidecar("--ready-after=1s"), "native": annotated(nativeSidecar)} {
			t.Run(order+"/"+kind, func(t *testing.T) {
				n := newNamespace(t)
				n.create(fleetPod("p", option))
				t.Parallel()
				n.waitForPhase("p", corev1.PodSucceeded)
				if log := n.log("p", "app"); !strings.Contains(log, logStarting) || !strings.Contains(log, "works") {
					t.Errorf("the application has not worked behind startgate:\n%s", log)
				}
				if len(n.endsOf("p", "istio-proxy")) == 0 {
					t.Error("it had no sidecar")
				}
				if pod, _ := n.pod("p"); kind == "native" && initContainers(pod) != order {
					t.Errorf("the order was %s", initContainers(pod))
				}
			})
		}
	}
	t.Run("refused", func(t *testing.T) {
		pod := fleetPod("p", func(pod *corev1.Pod) { pod.Spec.Containers[0].Command = nil })
		_, err := cluster.Client.CoreV1().Pods(n.name).Create(t.Context(), pod, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), "container app states no command: write what its image has as ENTRYPOINT there") {
			t.Errorf("%v", err)
		}
	})
}

func initContainers(pod *corev1.Pod) string {
	var names []string
	for _, container := range pod.Spec.InitContainers {
		names = append(names, container.Name)
	}
	return strings.Join(names, ", ")
}

// waitForOrder waits until the policies are in force and called in the wanted order, which a
// pod with a native sidecar shows: each puts its own init container first. The API server
// calls policies in the order of a Go map, a new one after each change of a policy.
func (n *namespace) waitForOrder(want string) {
	n.Helper()
	pod := fleetPod("p", annotated(nativeSidecar))
	tries := 0
	n.eventually("the policies are called so that the init containers are "+want, func() bool {
		got, err := cluster.Client.CoreV1().Pods(n.name).Create(n.Context(), pod.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && initContainers(got) == want {
			return true
		}
		tries++
		n.kubectl("annotate", "--overwrite", "mutatingadmissionpolicy", "startgate", fmt.Sprintf("test/tries=%d", tries))
		return false
	})
}
