package tests

// What an operator sees, by the words of the README's section Troubleshooting.

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// eventuallyShows waits until a command's output has all these texts.
func (n *namespace) eventuallyShows(texts []string, command ...string) {
	n.Helper()
	var out string
	n.Cleanup(func() {
		if n.Failed() {
			n.Logf("$ kubectl %s\n%s", strings.Join(command, " "), out)
		}
	})
	n.eventually("kubectl "+strings.Join(command, " ")+" shows "+strings.Join(texts, ", "), func() bool {
		out = n.kubectl(command...)
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(out, text) })
	})
}

// A container that exits with a code of startgate's own, and is restarted. Between two tries it
// is Error at first, and CrashLoopBackOff from the kubelet's next look at the pod on.
func TestSymptomCrashLoop(t *testing.T) {
	for code, test := range map[string]struct {
		change func(*corev1.Pod)
		docs   string
	}{
		"124": {settings("STARTGATE_TIMEOUT=1s"), "the-sidecar-is-not-ready"},
		"125": {settings("STARTGATE_TIMEOUT=1"), "code-125"},
		"126": {program("/tmp"), "code-126-or-127"},
		"127": {program("/missing"), "code-126-or-127"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(aPod("p", "echo works", neverReady, restart(corev1.RestartPolicyAlways), test.change))
			n.eventually("the kubelet backs off", func() bool {
				waiting := n.status("p", "app").State.Waiting
				return waiting != nil && waiting.Reason == "CrashLoopBackOff"
			})
			n.eventuallyShows([]string{"Back-off restarting failed container"}, "get", "events")
			n.eventuallyShows([]string{"Exit Code:    " + code, "startgate: ", "https://github.com/startgate/startgate#" + test.docs}, "describe", "pod", "p")
		})
	}
}

// A container that the kubelet's probe ends while startgate waits. The README's command
// prints when that was, and how often.
func TestSymptomProbes(t *testing.T) {
	for says, set := range map[string]func(*corev1.Container){
		"Startup probe failed":  func(c *corev1.Container) { c.StartupProbe = probe(1, 3) },
		"Liveness probe failed": func(c *corev1.Container) { c.LivenessProbe = probe(1, 3) },
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			began := time.Now().Truncate(time.Second)
			pod := aPod("p", serves, neverReady, restart(corev1.RestartPolicyAlways))
			set(&pod.Spec.Containers[0])
			n.create(pod)
			n.eventuallyShows([]string{"Exit Code:    143", says}, "describe", "pod", "p")
			commands := readmeCommands(t, "involvedObject.name=POD")
			out := incident{namespace: n}.shell(strings.ReplaceAll(commands[len(commands)-1], "POD", "p"))
			t.Logf("\n%s", out)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			for _, line := range lines[1:] {
				fields := strings.Fields(line)
				at, err := time.Parse(time.RFC3339, fields[0])
				if err != nil || at.Before(began) || at.After(time.Now()) || strings.Trim(fields[1], "0123456789") != "" {
					t.Errorf("no time, or no count: %q", line)
				}
			}
			if len(lines) < 2 || !strings.Contains(out, says) {
				t.Errorf("no event says %q", says)
			}
		})
	}
}

// An init container before a classic sidecar waits for ever: its number among the init
// containers depends on whether the injector's own comes before it.
func TestSymptomInitContainer(t *testing.T) {
	first := corev1.Container{
		Name: "first", Image: "registry.example/startgate:1", Command: []string{"/startgate", "--wait"},
	}
	redirect := corev1.Container{
		Name: "istio-init", Image: "localhost/istio-init:1", Command: []string{"sh", "/istio-init.sh"},
		SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}}},
	}
	for shows, test := range map[string]struct {
		pod  *corev1.Pod
		says string
	}{
		"Init:0/2": {aPod("p", "echo works", annotated(redirected), func(pod *corev1.Pod) {
			pod.Spec.InitContainers = []corev1.Container{first}
			pod.Spec.InitContainers[0].Env = pod.Spec.Containers[0].Env
		}), "In an init container it never will"},
		"Init:1/2": {aPod("p", "echo works", notInjected, func(pod *corev1.Pod) {
			pod.Annotations["sidecar.istio.io/status"] = `{"initContainers":["istio-init"],"containers":["istio-proxy"]}`
			pod.Spec.InitContainers = []corev1.Container{redirect, first}
		}), "Outbound traffic is redirected to a proxy that does not listen"},
	} {
		t.Run(shows, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(test.pod)
			n.waitForLog("p", "first", "elapsed=10s")
			n.eventuallyShows([]string{shows}, "get", "pod", "p")
			log := n.log("p", "first")
			if !strings.Contains(log, test.says) || !strings.Contains(log, "#an-init-container-that-waits") || !strings.Contains(log, "connection refused") {
				t.Errorf("no %q:\n%s", test.says, log)
			}
		})
	}
}

// A Job that its sidecar keeps.
func TestSymptomJobDoesNotEnd(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.podOfJob(n.createJob(aPod("kept", "echo works")))
	n.waitForEnds(pod, "app", 1)
	n.eventually("the sidecar is ready", func() bool { return n.status(pod, "istio-proxy").Ready })
	n.eventuallyShows([]string{"1/2", "NotReady"}, "get", "pod", pod)
	n.eventuallyShows([]string{"Completed", "Running"}, "describe", "pod", pod)
}

// The four commands to begin with.
func TestTroubleshootingCommands(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	commands := readmeCommands(t, "# while it waits")
	if len(commands) != 4 {
		t.Fatalf("the README has %d commands: %q", len(commands), commands)
	}
	run := func(command, pod string) string {
		command, _, _ = strings.Cut(command, "#")
		return incident{namespace: n}.shell(strings.ReplaceAll(command, "POD", pod))
	}
	n.create(aPod("waits", served, neverReady))
	n.untilReleasable("waits", "app")
	n.waitForLog("waits", "istio-proxy", "listens")
	if out := run(strings.Replace(commands[0], "#", "|| test $? = 124 #", 1), "waits"); !strings.Contains(out, "503") {
		t.Errorf("%s printed\n%s", commands[0], out)
	}
	if out := run(commands[3], "waits"); !strings.Contains(out, "released") {
		t.Errorf("%s printed\n%s", commands[3], out)
	}
	n.create(aPod("gives-up", "echo works", neverReady, settings("STARTGATE_TIMEOUT=1s"), restart(corev1.RestartPolicyAlways)))
	n.eventually("the kubelet backs off", func() bool {
		status := n.status("gives-up", "app")
		return status.RestartCount > 0 && status.State.Waiting != nil
	})
	for _, command := range commands[1:3] {
		if out := run(command, "gives-up"); !strings.Contains(out, gaveUp) {
			t.Errorf("%s printed\n%s", command, out)
		}
	}
}
