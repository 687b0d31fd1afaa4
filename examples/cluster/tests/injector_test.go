package tests

import (
	"bytes"
	"context"
	"fmt"
	"os"
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

// startInjector makes the policy that plays Istio's webhook and waits until it is in force,
// which is later than it is made.
func startInjector(ctx context.Context) error {
	policy, err := os.ReadFile("testdata/injector.yaml")
	if err != nil {
		return err
	}
	version, err := cluster.Client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	if version.Minor < "36" { // there it is in v1beta1
		policy = bytes.ReplaceAll(policy, []byte("k8s.io/v1\n"), []byte("k8s.io/v1beta1\n"))
	}
	apply := cluster.Kubectl("apply", "-f", "-")
	apply.Stdin = bytes.NewReader(policy)
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make the injector: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "probe", Labels: map[string]string{injectLabel: "true"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "none"}}},
	}
	for {
		got, err := cluster.Client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && len(got.Spec.Containers) == 2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the injector is not in force: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
