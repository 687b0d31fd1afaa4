package tests

// Pods that are not like most.

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// While startgate waits, one can look at the container.
func TestExecCheck(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.create(aPod("p", "echo works", sidecar("--hold-ready")))
	n.waitForLog(pod, "app", logWaiting)
	n.waitForLog(pod, "istio-proxy", "listens")
	if out := n.kubectl("exec", pod, "-c", "app", "--", "/startgate", "--check"); !strings.Contains(out, "istio") {
		t.Errorf("startgate --check printed\n%s", out)
	}
	n.kubectl("debug", pod, "--image=docker.io/library/busybox:stable", "--target=app", "--container=debugger", "--", "sh", "-c", "kill -0 1")
	if end := n.waitForEnds(pod, "debugger", 1)[0]; end.ExitCode != 0 && end.ExitCode != 1 { // 1: another user's process
		t.Errorf("the debugger's code is %d", end.ExitCode)
	}
	n.letBecomeReady(pod)
	if end := n.waitForEnds(pod, "app", 1)[0]; end.ExitCode != 0 {
		t.Errorf("code %d", end.ExitCode)
	}
}

// With shareProcessNamespace startgate is not PID 1, nor is an application without a
// handler, which TERM therefore ends.
func TestShareProcessNamespace(t *testing.T) {
	share := func(pod *corev1.Pod) {
		shared, seconds := true, int64(3600)
		pod.Spec.ShareProcessNamespace, pod.Spec.TerminationGracePeriodSeconds = &shared, &seconds
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		text string
	}{
		"waiting": {aPod("p", served, share, sidecar("--ready-after=1h")), logWaiting},
		"running": {aPod("p", served, share), "works"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(test.pod)
			n.waitForLog("p", "app", test.text)
			n.kubectl("delete", "pod", "p", "--wait=false")
			n.waitUntilGone("p")
			if codes := fmt.Sprint(n.codes("p", "app")); codes != "[143]" {
				t.Errorf("codes %s", codes)
			}
		})
	}
}

// Under the restricted Pod Security Standard and on a read-only root startgate waits,
// supervises, asks the sidecar to shut down and leaves its message.
func TestRestricted(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		more   func(*corev1.Pod)
		code   int32
		phase  corev1.PodPhase
		has    string
	}{
		"works":    {"echo works", settings(), 0, corev1.PodSucceeded, ""},
		"gives up": {"echo works", settings("STARTGATE_TIMEOUT=2s", "STARTGATE_WAIT_FOR=tcp://127.0.0.1:9"), 124, corev1.PodFailed, " not ready after"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.kubectl("label", "namespace", n.name, "pod-security.kubernetes.io/enforce=restricted")
			n.create(aPod("p", test.script, restricted, settings("STARTGATE_QUIT=istio"), test.more))
			end := n.waitForEnds("p", "app", 1)[0]
			if end.ExitCode != test.code || !strings.Contains(end.Message, test.has) {
				t.Errorf("code %d, want %d: %q", end.ExitCode, test.code, end.Message)
			}
			n.waitForPhase("p", test.phase)
		})
	}
}

// With hostNetwork nobody's sidecar is waited for.
func TestHostNetwork(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(aPod("p", "echo works", notInjected, settings("STARTGATE_WAIT_FOR=none"), func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }))
	n.waitForPhase("p", corev1.PodSucceeded)
}

// An application with the proxy's uid goes past the redirect. startgate warns of it.
func TestUID1337(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	uid := int64(1337)
	n.create(aPod("p", "echo works", func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: &uid}
	}))
	n.waitForEnds("p", "app", 1)
	if log := n.log("p", "app"); !strings.Contains(log, logWarning) || !strings.Contains(log, "uid 1337") {
		t.Errorf("no warning:\n%s", log)
	}
}

// startgate --install copies itself into a volume, also of memory. Where it does not fit,
// it fails and leaves nothing.
func TestInstall(t *testing.T) {
	for name, test := range map[string]struct {
		medium corev1.StorageMedium
		size   string
		code   int32
		phase  corev1.PodPhase
	}{
		"disk":      {corev1.StorageMediumDefault, "1Gi", 0, corev1.PodSucceeded},
		"memory":    {corev1.StorageMediumMemory, "20Mi", 0, corev1.PodSucceeded},
		"too small": {corev1.StorageMediumMemory, "4Mi", 125, corev1.PodFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			size := resource.MustParse(test.size)
			pod := aPod("p", "", image("docker.io/library/busybox:stable"), func(pod *corev1.Pod) {
				pod.Spec.Containers[0].Args = []string{"/gate/startgate", "--", "echo", "works"}
			})
			gate := []corev1.VolumeMount{{Name: "gate", MountPath: "/gate"}}
			pod.Spec.Volumes = []corev1.Volume{{Name: "gate", VolumeSource: corev1.VolumeSource{
				EmptyDir: &corev1.EmptyDirVolumeSource{Medium: test.medium, SizeLimit: &size},
			}}}
			pod.Spec.Containers[0].VolumeMounts = gate
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: "STARTGATE_QUIT", Value: "istio"})
			pod.Spec.InitContainers = []corev1.Container{{
				Name: "install", Image: "registry.example/startgate:1", VolumeMounts: gate,
				Command: []string{"/startgate", "--install", "/gate/startgate"},
			}}
			n.create(pod)
			if end := n.waitForEnds("p", "install", 1)[0]; end.ExitCode != test.code {
				t.Errorf("code %d, want %d: %s", end.ExitCode, test.code, end.Message)
			}
			n.waitForPhase("p", test.phase)
		})
	}
}

// A static pod has no annotation of an injector.
func TestStaticPod(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := aPod("static", "echo works", notInjected)
	n.createStatic(pod)
	n.waitForPhase("static-node", corev1.PodSucceeded)
}

// createStatic makes a static pod, whose name has the node's at its end. It goes away with the
// test.
func (n *namespace) createStatic(pod *corev1.Pod) {
	n.Helper()
	pod.TypeMeta, pod.Namespace = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, n.name
	manifest, err := json.Marshal(pod)
	if err != nil {
		n.Fatal(err)
	}
	file, err := cluster.Path("/var/lib/kubelet/manifests/" + n.name + ".json")
	if err != nil {
		n.Fatal(err)
	}
	if err := os.WriteFile(file, manifest, 0o644); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() { _ = os.Remove(file) })
}
