//go:build linux

package podtest

// The Kustomize component of the fleet example: what it changes, and that its pods wait.

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The overlay adds to the selected workloads what makes them wait, and changes nothing
// else.
func TestKustomizeOverlay(t *testing.T) {
	t.Parallel()
	base, overlay := kustomizeBuild(t, "fleet/kustomize/base"), kustomizeBuild(t, "fleet/kustomize/overlay")
	if len(base) != 3 || len(overlay) != 3 {
		t.Fatalf("%d workloads, before it %d, want 3", len(overlay), len(base))
	}
	checkEqual(t, "the one not selected", overlay["other"], base["other"])
	checkEqual(t, "web, without what was added,", withoutStartgate(t, podOfWorkload(t, overlay["web"]), "web"), podOfWorkload(t, base["web"]))
	report := withoutStartgate(t, podOfWorkload(t, overlay["report"]), "report")
	checkEqual(t, "the command of report", containerIn(t, report, "report")["command"], []any{"report", "--all"})
	for name, field := range map[string]string{"web": "template", "report": "jobTemplate"} {
		for _, o := range []object{base[name], overlay[name]} {
			delete(at(o, "spec").(object), field)
			delete(at(o, "metadata").(object), "labels")
		}
		checkEqual(t, name+", without its pod,", overlay[name], base[name])
	}
}

// kustomizeWorkload builds one workload with the component alone.
func kustomizeWorkload(t testing.TB, workload object) string {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(workload)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.CopyFS(filepath.Join(dir, "startgate"), os.DirFS("fleet/kustomize/startgate")),
		os.WriteFile(filepath.Join(dir, "workload.json"), text, 0o600),
		os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("resources: [workload.json]\ncomponents: [startgate]\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The component changes every kind of workload, and keeps what the pod already has.
func TestKustomizeKinds(t *testing.T) {
	t.Parallel()
	for kind, group := range map[string]string{
		"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			spec := object{"template": fullPod()}
			if kind == "CronJob" {
				spec = object{"jobTemplate": object{"spec": spec}}
			}
			workload := object{
				"apiVersion": group, "kind": kind, "spec": spec,
				"metadata": object{"name": "a", "labels": object{"startgate": "enabled"}},
			}
			built := kustomizeBuild(t, kustomizeWorkload(t, workload))
			if len(built) != 1 {
				t.Errorf("%d objects, want the workload alone", len(built))
			}
			checkEqual(t, "the pod, without what was added,", withoutStartgate(t, podOfWorkload(t, built["a"]), "a")["spec"], fullPod()["spec"])
		})
	}
}

// A workload that states no command is an error, not skipped.
func TestKustomizeWithoutCommand(t *testing.T) {
	t.Parallel()
	template := fullPod()
	delete(list(template, "spec", "containers")[0], "command")
	_, err := runTool(fleetTool, "build", kustomizeWorkload(t, object{
		"apiVersion": "apps/v1", "kind": "Deployment", "spec": object{"template": template},
		"metadata": object{"name": "a", "labels": object{"startgate": "enabled"}},
	}))
	if err == nil || !strings.Contains(err.Error(), "doc is missing path") || !strings.Contains(err.Error(), "/containers/0/command/0") {
		t.Errorf("%v, want that there is no command", err)
	}
}

// reportFiles is a Dockerfile for the image of the example's CronJob.
const reportFiles = `
FROM ` + busyboxImage + `
RUN printf '#!/bin/sh\necho report starts "$@"\n' >/bin/report && chmod +x /bin/report
ENTRYPOINT ["report"]
CMD ["--all"]
`

// The workloads of the overlay wait for the sidecar. Those of the base do not.
func TestKustomizePods(t *testing.T) {
	needPods(t)
	if _, err := host.buildImage("registry.example/report:1", reportFiles, host.file("context")); err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	base, overlay := kustomizeBuild(t, "fleet/kustomize/base"), kustomizeBuild(t, "fleet/kustomize/overlay")
	t.Run("as it was", func(t *testing.T) {
		t.Parallel()
		p := startPod(t, inject(podOfWorkload(t, base["web"]), holdReady...))
		eventually(t, "the application starts beside a sidecar that is not ready", func() bool { return p.listens("web", 8080) })
		if strings.Contains(p.log("istio-proxy"), "is ready") {
			t.Error("the sidecar was ready")
		}
	})
	t.Run("web", func(t *testing.T) {
		t.Parallel()
		checkWebWaits(t, podOfWorkload(t, overlay["web"]), "replace")
	})
	t.Run("report", func(t *testing.T) {
		t.Parallel()
		p := startPod(t, inject(podOfWorkload(t, overlay["report"]), holdReady...))
		p.waitForLog("report", "istio is not ready yet", 1)
		if strings.Contains(p.log("report"), "report starts") {
			t.Error("the application has not waited")
		}
		p.letBecomeReady("istio-proxy")
		p.waitForEnd()
		p.checkLog("report", "istio is ready", "mode=supervise", "report starts --all\n")
		p.checkLog("istio-proxy", standinAsked)
		if phase := p.phase(); phase != "Succeeded" {
			t.Errorf("the pod is %s", phase)
		}
	})
}
