package tests

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The label that asks for injection, and the annotations by which a pod tells
// testdata/injector.yaml more.
const (
	injectLabel    = "sidecar.istio.io/inject"
	argsAnnotation = "test/args"
	redirected     = "test/redirect"
	nativeSidecar  = "test/native"
)

// startInjectors makes the policies that play webhooks, and waits until they are in force,
// which is later than they are made.
func startInjectors(ctx context.Context) error {
	for _, file := range []string{"injector", "linkerd"} {
		policy, err := injector(file)
		if err != nil {
			return err
		}
		apply := cluster.Kubectl("apply", "-f", "-")
		apply.Stdin = strings.NewReader(policy)
		if out, err := apply.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot make the injector: %w\n%s", err, out)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "probe", Labels: map[string]string{injectLabel: "true"}, Annotations: map[string]string{"linkerd.io/inject": "enabled"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "none"}}},
	}
	for {
		got, err := cluster.Client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && len(got.Spec.Containers) == 3 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the injectors are not in force: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// injector returns a policy of testdata as this version of Kubernetes reads it.
func injector(name string) (string, error) {
	policy, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil || isStable() {
		return string(policy), err
	}
	return strings.ReplaceAll(string(policy), "k8s.io/v1\n", "k8s.io/v1beta1\n"), nil
}

// isStable says whether a MutatingAdmissionPolicy is in v1, as since 1.36.
func isStable() bool {
	version, err := cluster.Client.Discovery().ServerVersion()
	return err == nil && version.Minor >= "36"
}
