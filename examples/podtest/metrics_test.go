//go:build linux

package podtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

const exporterImage = "quay.io/prometheus/node-exporter:v1.9.1"

// buildExporter makes the node exporter's image of the Debian package.
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
	if _, err := host.bud(exporterImage, dockerfile, root); err != nil {
		t.Fatal(err)
	}
}

// on gives a pod a folder of the machine instead of a volume.
func on(pod object, volume, folder string) {
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

// What startgate measures in one pod is found at the node exporter in another, with
// the pod's labels; and while it waits, at its address.
func TestMonitoring(t *testing.T) {
	host.ready(t)
	need(t, "prometheus-node-exporter", "ldd")
	buildExporter(t)
	t.Parallel()
	folder := t.TempDir()
	monitoring, err := filepath.Abs("monitoring")
	if err != nil {
		t.Fatal(err)
	}

	node := podIn(t, "monitoring/node.yaml")
	on(node, "pods", folder)
	on(node, "label", monitoring) // the folder of the ConfigMap's only file
	n := play(t, node)
	eventually(t, "any user may write there", func() bool {
		info, err := os.Stat(folder)
		return err == nil && info.Mode().Perm() == 0o777 && info.Mode()&os.ModeSticky != 0
	})

	web := inject(podIn(t, "monitoring/deployment.yaml"), late...)
	on(web, "startgate", folder)
	w := play(t, web)
	w.until("app", "istio is not ready yet", 1)
	eventually(t, "the metrics say what is waited for", func() bool {
		text, err := w.get("app", 9102, "/metrics")
		return err == nil && strings.Contains(text, `startgate_waiting{target="istio"} 1`)
	})
	w.release("istio-proxy", syscall.SIGUSR2)
	eventually(t, "the readinessProbe succeeds", func() bool { return w.answers("app", 8080, "/healthz") })

	want := fmt.Sprintf(`startgate_handover_timestamp_seconds{namespace="default",pod="%s",workload="web"} 1`, w.name)
	eventually(t, "the node exporter has "+want, func() bool {
		text, err := n.get("node-exporter", 9100, "/metrics")
		return err == nil && strings.Contains(text, want)
	})
}
