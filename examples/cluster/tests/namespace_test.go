package tests

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A namespace is where a test has its pods, and what it knows of them.
type namespace struct {
	testing.TB
	name string
	*recorder
}

// newNamespace makes a namespace for the test. It goes away with the test, which does not
// wait for that.
func newNamespace(t testing.TB) *namespace {
	t.Helper()
	return newNamespaceFor(t, "disabled")
}

// newNamespaceFor makes a namespace in which Istio's own injection is enabled or disabled.
func newNamespaceFor(t testing.TB, injection string) *namespace {
	t.Helper()
	need(t)
	namespaces := cluster.Client.CoreV1().Namespaces()
	made, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: map[string]string{"istio-injection": injection}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := &namespace{TB: t, name: made.Name, recorder: newRecorder(t, made.Name)}
	t.Cleanup(func() {
		if t.Failed() {
			n.dump()
		}
		if err := namespaces.Delete(context.Background(), n.name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	n.eventually("the default service account", func() bool {
		_, err := cluster.Client.CoreV1().ServiceAccounts(n.name).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	return n
}

// in returns the namespace for a subtest.
func (n *namespace) in(t testing.TB) *namespace {
	return &namespace{TB: t, name: n.name, recorder: &recorder{t, n.seen}}
}

// kubectl runs kubectl in the namespace and returns what it prints.
func (n *namespace) kubectl(args ...string) string {
	n.Helper()
	out, err := n.command(args...).CombinedOutput()
	if err != nil {
		n.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (n *namespace) command(args ...string) *exec.Cmd {
	return cluster.Kubectl(append([]string{"--namespace", n.name}, args...)...)
}

// apply applies a manifest.
func (n *namespace) apply(manifest string) {
	n.Helper()
	apply := n.command("apply", "-f", "-")
	apply.Stdin = strings.NewReader(manifest)
	if out, err := apply.CombinedOutput(); err != nil {
		n.Fatalf("kubectl apply: %v\n%s\n%s", err, out, manifest)
	}
}

// log returns the log of a container, of this try.
func (n *namespace) log(pod, container string) string {
	n.Helper()
	text, err := n.logs(pod, corev1.PodLogOptions{Container: container})
	if err != nil {
		n.Errorf("cannot read the log of %s in %s: %v", container, pod, err)
	}
	return text
}

func (n *namespace) logs(pod string, options corev1.PodLogOptions) (string, error) {
	text, err := cluster.Client.CoreV1().Pods(n.name).GetLogs(pod, &options).DoRaw(context.Background())
	return string(text), err
}

// waitForLog waits until the log of a container has a line with this text.
func (n *namespace) waitForLog(pod, container, text string) {
	n.Helper()
	n.eventually(container+" in "+pod+" has started", func() bool { return n.status(pod, container).ContainerID != "" })
	ctx, cancel := context.WithTimeout(n.Context(), patience)
	defer cancel()
	options := &corev1.PodLogOptions{Container: container, Follow: true}
	stream, err := cluster.Client.CoreV1().Pods(n.name).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		n.Fatalf("cannot follow the log of %s in %s: %v", container, pod, err)
	}
	defer stream.Close()
	var seen strings.Builder
	for lines := bufio.NewScanner(stream); lines.Scan(); {
		if strings.Contains(lines.Text(), text) {
			return
		}
		fmt.Fprintln(&seen, lines.Text())
	}
	n.Fatalf("the log of %s in %s has no %q:\n%s", container, pod, text, &seen)
}

// dump logs what one looks at when a test has failed.
func (n *namespace) dump() {
	for _, args := range [][]string{{"get", "events", "--sort-by=.metadata.creationTimestamp"}, {"describe", "pods"}} {
		out, _ := n.command(args...).CombinedOutput()
		n.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
	pods, err := cluster.Client.CoreV1().Pods(n.name).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		n.Log(err)
		return
	}
	for _, pod := range pods.Items {
		for _, status := range statuses(&pod) {
			for _, previous := range []bool{true, false} {
				options := corev1.PodLogOptions{Container: status.Name, Previous: previous, Timestamps: true}
				if text, err := n.logs(pod.Name, options); err == nil {
					n.Logf("log of %s in %s, previous: %t\n%s", status.Name, pod.Name, previous, text)
				}
			}
		}
	}
	n.Logf("the kubelet\n%s", cluster.Log("kubelet", n.name, 20))
}
