package tests

// Istio itself: istiod, its webhook, and its agent in the pods. Only Envoy is a stand-in.

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/examples/cluster/istio"
)

// installIstio puts Istio into the cluster, for the first test that needs it.
var installIstio = sync.OnceValue(func() error {
	began := time.Now()
	say := func(text string) { fmt.Fprintln(os.Stderr, text) }
	err := istio.Install(context.Background(), cluster, say)
	say(fmt.Sprintf("Istio is installed after %.1f s", time.Since(began).Seconds()))
	return err
})

// mesh is a namespace that Istio injects, with a Redis outside the mesh.
type mesh struct {
	*namespace
	redis string // its address
}

func newMesh(t *testing.T) mesh {
	t.Helper()
	need(t)
	if testing.Short() {
		t.Skip("long")
	}
	if err := installIstio(); err != nil {
		t.Fatal(err)
	}
	n := newNamespaceFor(t, "enabled")
	return mesh{n, n.startRedis()}
}

// app returns the application beside a classic sidecar, which is ready 2 s after it has its
// configuration.
func (m mesh) app(name string, options ...func(*corev1.Pod)) *corev1.Pod {
	script := "echo the application starts; redis-cli -e -h " + m.redis + " incr starts || exit 1; echo it serves; exec sleep 3600"
	all := append([]func(*corev1.Pod){image("localhost/client:1"), native(false), proxy(nil, "ENVOY_INIT=2s")}, options...)
	return aPod(name, script, all...)
}

// native says which kind of sidecar is injected. Istio's own choice depends on the version
// of the node.
func native(yes bool) func(*corev1.Pod) {
	return annotation("sidecar.istio.io/nativeSidecar", fmt.Sprint(yes))
}

func annotation(name, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Annotations[name] = value }
}

// proxy sets the pod's ProxyConfig, and variables of programs/envoy, as NAME=value.
func proxy(config map[string]any, variables ...string) func(*corev1.Pod) {
	metadata := map[string]string{}
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		metadata[name] = value
	}
	all := map[string]any{"proxyMetadata": metadata}
	for key, value := range config {
		all[key] = value
	}
	text, _ := json.Marshal(all)
	return annotation("proxy.istio.io/config", string(text))
}

// script replaces what the application does.
func script(lines string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Args = []string{"sh", "-c", lines} }
}

// waitForWorkers waits until Envoy carries traffic.
func (m mesh) waitForWorkers(pod string) {
	m.Helper()
	m.waitUntilRunning(pod, "istio-proxy")
	m.waitForLog(pod, "istio-proxy", "workers started")
}

// checkServes waits until the application has asked Redis. It must have started once.
func (m mesh) checkServes(pod string) {
	m.Helper()
	m.waitUntilRunning(pod, "app")
	m.waitForLog(pod, "app", "it serves")
	if log := m.log(pod, "app"); strings.Contains(log, "Connection refused") || m.status(pod, "app").RestartCount != 0 {
		m.Errorf("the application's container was restarted %d times:\n%s", m.status(pod, "app").RestartCount, log)
	}
}
