//go:build linux

package podtest

// Helpers for the fleet example: pods to start from, and what startgate adds to them.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// kustomizeBuild returns what kubectl apply --kustomize would apply, by name, as an API
// server reads it.
func kustomizeBuild(t testing.TB, dir string) map[string]object {
	t.Helper()
	text, err := runTool(fleetTool, "build", dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "built.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	byFile, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]object{}
	for _, o := range byFile[file] {
		byName[at(o, "metadata", "name").(string)] = o
	}
	return byName
}

// fullPod returns a pod that already has one of everything that startgate adds.
func fullPod() object {
	return object{
		"metadata": object{"labels": object{"app": "a"}},
		"spec": object{
			"restartPolicy":  "Never",
			"volumes":        []any{object{"name": "data", "emptyDir": object{}}},
			"initContainers": []any{object{"name": "before", "image": "i", "resources": object{}}},
			"containers": []any{
				object{
					"name": "a", "image": "i", "command": []any{"app", "--flag"}, "args": []any{"x"},
					"env":          []any{object{"name": "A", "value": "1"}},
					"volumeMounts": []any{object{"name": "data", "mountPath": "/data"}},
					"resources":    object{},
				},
				object{"name": "b", "image": "i", "command": []any{"other"}, "resources": object{}},
			},
		},
	}
}

// minimalPod returns a pod that has only what a pod must have.
func minimalPod() object {
	return object{"metadata": object{"name": "bare"}, "spec": object{"containers": []any{
		object{"name": "a", "image": "i", "command": []any{"app"}, "resources": object{}},
	}}}
}

// withoutStartgate returns the pod without everything that makes one container wait. The
// test fails if any of that is missing.
func withoutStartgate(t testing.TB, pod object, name string) object {
	t.Helper()
	pod = deepCopy(t, pod)
	spec, container := at(pod, "spec").(object), containerIn(t, pod, name)
	command, _ := container["command"].([]any)
	if len(command) < 3 || command[0] != "/gate/startgate" || command[1] != "--" {
		t.Fatalf("the command of %s is %v", name, command)
	}
	container["command"] = command[2:]
	removeNamed(t, spec, "volumes", "startgate")
	removeNamed(t, spec, "initContainers", "startgate")
	removeNamed(t, container, "volumeMounts", "startgate")
	removeNamed(t, container, "env", "STARTGATE_SIDECAR_STATUS")
	return pod
}

// removeNamed removes the one element with this name from a list, and the list if it is
// then empty.
func removeNamed(t testing.TB, o object, field, name string) {
	t.Helper()
	var rest []any
	for _, item := range list(o, field) {
		if item["name"] != name {
			rest = append(rest, item)
		}
	}
	if removed := len(list(o, field)) - len(rest); removed != 1 {
		t.Errorf("%s has %d %s", field, removed, name)
	}
	o[field] = rest
	if len(rest) == 0 {
		delete(o, field)
	}
}

// checkEqual checks that two parts of manifests are equal.
func checkEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.MarshalIndent(got, "", " ")
		w, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("%s is\n%s\nand not\n%s", what, g, w)
	}
}

// checkWebWaits starts a pod of the web server, and checks that the server listens when
// the sidecar is ready, and not before.
func checkWebWaits(t *testing.T, manifest object, mode string) *pod {
	t.Helper()
	p := startPod(t, inject(manifest, holdReady...))
	p.waitForLog("web", "istio is not ready yet", 1)
	if p.listens("web", 8080) {
		t.Error("the application has not waited")
	}
	p.letBecomeReady("istio-proxy")
	eventually(t, "the startupProbe succeeds", func() bool { return p.listens("web", 8080) })
	p.checkLog("web", "istio is ready", "starting httpd", "mode="+mode)
	return p
}
