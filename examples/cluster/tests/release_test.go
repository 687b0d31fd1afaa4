package tests

// startgate --release and --check --now, by kubectl exec in a container that waits.

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// neverReady keeps startgate waiting.
var neverReady = sidecar("--hold-ready")

// untilReleasable waits until the wait of a container can be released: that takes a second.
func (n *namespace) untilReleasable(pod, container string) {
	n.Helper()
	n.waitForLog(pod, container, "event=still_waiting")
}

// exec runs a command in a container and returns what it prints, and whether it exits with 0.
func (n *namespace) exec(pod, container string, command ...string) (output string, ok bool) {
	n.Helper()
	out, err := n.command(append([]string{"exec", pod, "-c", container, "--"}, command...)...).CombinedOutput()
	return string(out), err == nil
}

// restricted makes a pod one of the restricted Pod Security Standard, on a read-only root.
func restricted(pod *corev1.Pod) {
	yes, no := true, false
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// A restricted pod on a read-only root can be asked and released.
func TestRelease(t *testing.T) {
	for name, option := range map[string]func(*corev1.Pod){
		"as PID 1":    settings(),
		"supervising": settings("STARTGATE_SUPERVISE=true"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.kubectl("label", "namespace", n.name, "pod-security.kubernetes.io/enforce=restricted")
			n.create(aPod("p", served, restricted, neverReady, option))
			n.untilReleasable("p", "app")
			n.waitForLog("p", "istio-proxy", "listens")
			if out, ok := n.exec("p", "app", "/startgate", "--check", "--now"); ok || !strings.Contains(out, "503") {
				t.Errorf("--check --now exited with 0: %t, and printed\n%s", ok, out)
			}
			if out, ok := n.exec("p", "app", "/startgate", "--release"); !ok || out != "startgate: released PID 1\n" {
				t.Errorf("--release exited with 0: %t, and printed %q", ok, out)
			}
			n.waitForLog("p", "app", "works")
			if log := n.log("p", "app"); !strings.Contains(log, "event=released target=istio") {
				t.Errorf("the log is\n%s", log)
			}
		})
	}
}

// Who may not release a wait is told so, and the wait goes on.
func TestReleaseRefused(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	root := int64(0)
	n.create(aPod("p", served, neverReady, func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: &root}
	}))
	n.untilReleasable("p", "app")
	other := "echo other:x:1000:1000::/:/bin/sh >/etc/passwd; su other -c '/startgate --release'"
	if out, ok := n.exec("p", "app", "sh", "-c", other); ok || !strings.Contains(out, "only user 0 may release it") {
		t.Errorf("another user: it exited with 0: %t, and printed %q", ok, out)
	}
	n.kubectl("debug", "p", "--image=localhost/shell:1", "--target=app", "--container=debugger", "--profile=general", "--", "/startgate", "--release")
	if end := n.waitForEnds("p", "debugger", 1)[0]; end.ExitCode != 125 {
		t.Errorf("an ephemeral container: code %d", end.ExitCode)
	}
	if log := n.log("p", "debugger"); !strings.Contains(log, "no startgate in this container has been waiting") {
		t.Errorf("an ephemeral container: %q", log)
	}
	if log := n.log("p", "app"); strings.Contains(log, "released") || strings.Contains(log, "works") {
		t.Errorf("it does not wait any more:\n%s", log)
	}
	if out, ok := n.exec("p", "app", "/startgate", "--release"); !ok {
		t.Errorf("its own user: %q", out)
	}
	n.waitForLog("p", "app", "works")
}

// Of two containers that wait, also where they see each other's processes, only the one is
// released in which --release runs.
func TestReleaseOne(t *testing.T) {
	for _, share := range []bool{false, true} {
		t.Run(fmt.Sprintf("shareProcessNamespace: %t", share), func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			pod := aPod("p", served, neverReady)
			pod.Spec.ShareProcessNamespace = &share
			second := *pod.Spec.Containers[0].DeepCopy()
			second.Name = "second"
			pod.Spec.Containers = append(pod.Spec.Containers, second)
			n.create(pod)
			n.untilReleasable("p", "app")
			n.untilReleasable("p", "second")
			if out, ok := n.exec("p", "second", "/startgate", "--release"); !ok || strings.Count(out, "released") != 1 {
				t.Errorf("--release exited with 0: %t, and printed %q", ok, out)
			}
			n.waitForLog("p", "second", "works")
			if log := n.log("p", "app"); strings.Contains(log, "released") || strings.Contains(log, "works") {
				t.Errorf("the other does not wait any more:\n%s", log)
			}
			n.letBecomeReady("p")
			n.waitForLog("p", "app", "works")
			if log := n.log("p", "app"); strings.Contains(log, "released") || !strings.Contains(log, "event=ready") {
				t.Errorf("the other was released too:\n%s", log)
			}
		})
	}
}
