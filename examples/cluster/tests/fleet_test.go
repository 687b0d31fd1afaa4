package tests

// The fleet example: kubectl kustomize, and the admission policy in the API server, beside
// a mesh's injector.

import (
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
	n.applyPolicies()
	const before, after = "injector before", "injector after"
	for order, label := range map[string]string{before: injectLabel, after: injectedLate} {
		for kind, option := range map[string]func(*corev1.Pod){"classic": sidecar("--ready-after=1s"), "native": annotated(nativeSidecar)} {
			t.Run(order+"/"+kind, func(t *testing.T) {
				t.Parallel()
				n := newNamespace(t)
				n.create(fleetPod("p", option, func(pod *corev1.Pod) {
					delete(pod.Labels, injectLabel)
					pod.Labels[label] = "true"
				}))
				n.waitForPhase("p", corev1.PodSucceeded)
				if log := n.log("p", "app"); !strings.Contains(log, logStarting) || !strings.Contains(log, "works") {
					t.Errorf("the application has not worked behind startgate:\n%s", log)
				}
				if len(n.endsOf("p", "istio-proxy")) == 0 {
					t.Error("it had no sidecar")
				}
				// Each policy puts its own first.
				pod, _ := n.pod("p")
				if first := pod.Spec.InitContainers[0].Name; kind == "native" && (first == "istio-proxy") != (order == after) {
					t.Errorf("the first init container is %s", first)
				}
			})
		}
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		pod := fleetPod("p", func(pod *corev1.Pod) { pod.Spec.Containers[0].Command = nil })
		_, err := cluster.Client.CoreV1().Pods(n.name).Create(t.Context(), pod, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), "container app states no command: write what its image has as ENTRYPOINT there") {
			t.Errorf("%v", err)
		}
	})
}

// injectedLate asks for the injection that comes after the policy of the fleet: policies are
// called in the order of their names.
const injectedLate = "test/inject-late"

// applyPolicies applies the policy of the fleet, and the injector once more under a name
// that comes after it. They go with the test.
func (n *namespace) applyPolicies() {
	n.Helper()
	late, err := injector("injector")
	if err != nil {
		n.Fatal(err)
	}
	late = strings.ReplaceAll(late, injectLabel, injectedLate)
	late = strings.ReplaceAll(late, "name: injector", "name: zz-injector")
	late = strings.ReplaceAll(late, "policyName: injector", "policyName: zz-injector")
	n.apply(late)
	policy := examples + "/fleet/policy/policy.yaml"
	n.kubectl("apply", "-f", policy)
	n.Cleanup(func() {
		n.kubectl("delete", "-f", policy)
		for _, kind := range []string{"mutatingadmissionpolicybinding", "mutatingadmissionpolicy"} {
			n.kubectl("delete", kind, "zz-injector")
		}
	})
	pod := fleetPod("p", func(pod *corev1.Pod) { pod.Labels = map[string]string{"startgate": "enabled", injectedLate: "true"} })
	n.eventually("the policies are in force", func() bool {
		got, err := cluster.Client.CoreV1().Pods(n.name).Create(n.Context(), pod.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && len(got.Spec.Containers) == 2 && got.Spec.Containers[0].Command[0] == "/gate/startgate"
	})
}
