package istio

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/startgate/startgate/examples/cluster/node"
)

// Namespace is where istiod is.
const Namespace = "istio-system"

//go:embed operator.yaml
var operator []byte

//go:embed system.yaml
var system []byte

// Install puts Istio into the cluster, and returns when its webhook injects pods.
func Install(ctx context.Context, cluster *node.Cluster, say func(string)) error {
	own, err := folder("", "github.com/startgate/startgate/examples/cluster")
	if err != nil {
		return err
	}
	source := filepath.Join(own, "istio/programs")
	bin, err := node.BuildPrograms(ctx, source, programs, say)
	if err != nil {
		return err
	}
	module, err := folder(source, "istio.io/istio")
	if err != nil {
		return err
	}
	images, err := images(bin, module)
	if err != nil {
		return err
	}
	if err := cluster.Import(images...); err != nil {
		return err
	}
	manifests := exec.CommandContext(ctx, filepath.Join(bin, "manifests"))
	manifests.Stdin = bytes.NewReader(operator)
	istio, err := manifests.Output()
	if err != nil {
		return fmt.Errorf("cannot make Istio's manifests: %w", err)
	}
	for _, manifest := range [][]byte{system, istio} {
		if err := apply(cluster, manifest); err != nil {
			return err
		}
	}
	return awaitInjection(ctx, cluster)
}

func apply(cluster *node.Cluster, manifest []byte) error {
	apply := cluster.Kubectl("apply", "--server-side", "-f", "-")
	apply.Stdin = bytes.NewReader(manifest)
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot install Istio: %w\n%s", err, out)
	}
	return nil
}

// awaitInjection waits until a pod that asks for injection gets a sidecar. That takes
// istiod some seconds, in which such a pod is refused.
func awaitInjection(ctx context.Context, cluster *node.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "none", Labels: map[string]string{"sidecar.istio.io/inject": "true"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "none"}}},
	}
	for {
		got, err := cluster.Client.CoreV1().Pods("injected").Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && len(got.Spec.InitContainers) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			log, _ := cluster.Kubectl("--namespace", Namespace, "logs", "deployment/istiod", "--tail=20").CombinedOutput()
			return fmt.Errorf("istiod does not inject pods: %w\n%s", err, log)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
