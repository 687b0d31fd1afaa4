//go:build linux

package podtest

// The monitoring example: the metrics of one pod, read at its own address and at the node
// exporter in another pod.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const exporterImage = "quay.io/prometheus/node-exporter:v1.9.1"

// buildExporter builds the node exporter's image from the Debian package.
func buildExporter(t testing.TB) {
	t.Helper()
	binary, err := exec.LookPath("prometheus-node-exporter")
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := exec.CommandContext(t.Context(), "ldd", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	files := append(regexp.MustCompile(`/lib\S+`).FindAllString(string(libraries), -1), binary)
	for _, file := range files {
		to := filepath.Join(root, file)
		text, err := os.ReadFile(file)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	dockerfile := fmt.Sprintf("FROM scratch\nCOPY . /\nUSER 65534\nENTRYPOINT [%q]\n", binary)
	if _, err := host.buildImage(exporterImage, dockerfile, root); err != nil {
		t.Fatal(err)
	}
}

// mountFolder gives a pod a folder of the machine instead of a volume.
func mountFolder(pod object, volume, folder string) {
	for _, v := range list(pod, "spec", "volumes") {
		if v["name"] == volume {
			for kind := range v {
				if kind != "name" {
					delete(v, kind)
				}
			}
			v["hostPath"] = object{"path": folder, "type": "Directory"}
		}
	}
}

// startgate's metrics are at its own address and in its file while it waits, and after that
// at the node exporter, with the pod's labels. The node is a new one: the pod starts before
// what opens the folder there.
func TestMonitoringExample(t *testing.T) {
	need(t, "prometheus-node-exporter", "ldd")
	needPods(t)
	buildExporter(t)
	t.Parallel()
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil { // as the kubelet makes it
		t.Fatal(err)
	}
	monitoring, err := filepath.Abs("monitoring")
	if err != nil {
		t.Fatal(err)
	}

	web := inject(podFromFile(t, "monitoring/deployment.yaml"), holdReady...)
	mountFolder(web, "startgate", folder)
	w := startPod(t, web)
	w.waitForLog("app", "istio is not ready yet", 1)
	const waits = `startgate_waiting{target="istio"} 1`
	eventually(t, "the metrics say what is waited for", func() bool {
		text, err := w.get("app", 9102, "/metrics")
		return err == nil && strings.Contains(text, waits)
	})
	eventually(t, "the file says it too", func() bool {
		text, err := os.ReadFile(filepath.Join(folder, "default_web_"+w.name+".prom"))
		return err == nil && strings.Contains(string(text), waits)
	})

	if err := os.Chmod(folder, 0o755); err != nil { // as if the pod had not opened it
		t.Fatal(err)
	}
	node := podFromFile(t, "monitoring/node.yaml")
	mountFolder(node, "pods", folder)
	mountFolder(node, "label", monitoring) // the folder of the ConfigMap's only file
	n := startPod(t, node)
	eventually(t, "any user may write there", func() bool {
		info, err := os.Stat(folder)
		return err == nil && info.Mode().Perm() == 0o777 && info.Mode()&os.ModeSticky != 0
	})
	w.letBecomeReady("istio-proxy")
	eventually(t, "the readinessProbe succeeds", func() bool { return w.answers("app", 8080, "/healthz") })

	want := fmt.Sprintf(`startgate_handover_timestamp_seconds{namespace="default",pod="%s",workload="web"} 1`, w.name)
	eventually(t, "the node exporter has "+want, func() bool {
		text, err := n.get("node-exporter", 9100, "/metrics")
		return err == nil && strings.Contains(text, want)
	})
}
