//go:build linux

package podtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// fleetTool is the program that does what kubectl and an API server do to the
// examples for fleets. It is a module of its own.
var fleetTool = sync.OnceValues(func() (string, error) {
	binary := host.file("fleet")
	if out, err := exec.Command("go", "build", "-C", "internal/fleet", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
})

// fleet runs that program. The error is what it says.
func fleet(t testing.TB, args ...string) ([]byte, error) {
	t.Helper()
	binary, err := fleetTool()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.New(strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// kustomized returns what kubectl apply --kustomize would apply, by name, as an API
// server reads it.
func kustomized(t testing.TB, dir string) map[string]object {
	t.Helper()
	text, err := fleet(t, "build", dir)
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

// podOf returns a pod as a workload makes it.
func podOf(t testing.TB, workload object) object {
	t.Helper()
	template, ok := at(workload, "spec", "template").(object)
	if !ok {
		template, ok = at(workload, "spec", "jobTemplate", "spec", "template").(object)
	}
	if !ok {
		t.Fatalf("%v has no pod", at(workload, "metadata", "name"))
	}
	pod := deepCopy(t, template)
	pod["apiVersion"], pod["kind"] = "v1", "Pod"
	at(pod, "metadata").(object)["name"] = at(workload, "metadata", "name")
	return pod
}

// ungate takes all away from a pod that makes one container wait. It fails where
// there is less to take away.
func ungate(t testing.TB, pod object, name string) object {
	t.Helper()
	pod = deepCopy(t, pod)
	spec, container := at(pod, "spec").(object), containerIn(t, pod, name)
	command, _ := container["command"].([]any)
	if len(command) < 3 || command[0] != "/gate/startgate" || command[1] != "--" {
		t.Fatalf("the command of %s is %v", name, command)
	}
	container["command"] = command[2:]
	take(t, spec, "volumes", "startgate")
	take(t, spec, "initContainers", "startgate")
	take(t, container, "volumeMounts", "startgate")
	take(t, container, "env", "STARTGATE_SIDECAR_STATUS")
	return pod
}

// take takes the one element with this name out of a list, and an empty list away.
func take(t testing.TB, o object, field, name string) {
	t.Helper()
	var rest []any
	for _, item := range list(o, field) {
		if item["name"] != name {
			rest = append(rest, item)
		}
	}
	if taken := len(list(o, field)) - len(rest); taken != 1 {
		t.Errorf("%s has %d %s", field, taken, name)
	}
	o[field] = rest
	if len(rest) == 0 {
		delete(o, field)
	}
}

// same checks that two parts of a manifest do not differ.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.MarshalIndent(got, "", " ")
		w, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("%s is\n%s\nand not\n%s", what, g, w)
	}
}

// The overlay adds to the chosen workloads what makes them wait, and nothing else to
// anything.
func TestKustomize(t *testing.T) {
	t.Parallel()
	base, overlay := kustomized(t, "fleet/kustomize/base"), kustomized(t, "fleet/kustomize/overlay")
	if len(base) != 3 || len(overlay) != 3 {
		t.Fatalf("%d workloads, before it %d, want 3", len(overlay), len(base))
	}
	same(t, "the one not chosen", overlay["other"], base["other"])
	same(t, "web, without what was added,", ungate(t, podOf(t, overlay["web"]), "web"), podOf(t, base["web"]))
	report := ungate(t, podOf(t, overlay["report"]), "report")
	same(t, "the command of report", containerIn(t, report, "report")["command"], []any{"report", "--all"})
	for name, field := range map[string]string{"web": "template", "report": "jobTemplate"} {
		for _, o := range []object{base[name], overlay[name]} {
			delete(at(o, "spec").(object), field)
			delete(at(o, "metadata").(object), "labels")
		}
		same(t, name+", but for its pod,", overlay[name], base[name])
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

// busy is a pod that has of everything already what startgate adds.
func busy() object {
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

// The component knows all kinds of workloads, and leaves what they have.
func TestKustomizeKinds(t *testing.T) {
	t.Parallel()
	for kind, group := range map[string]string{
		"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			spec := object{"template": busy()}
			if kind == "CronJob" {
				spec = object{"jobTemplate": object{"spec": spec}}
			}
			workload := object{
				"apiVersion": group, "kind": kind, "spec": spec,
				"metadata": object{"name": "a", "labels": object{"startgate": "enabled"}},
			}
			built := kustomized(t, kustomizeWorkload(t, workload))
			if len(built) != 1 {
				t.Errorf("%d objects, want the workload alone", len(built))
			}
			same(t, "it, without what was added,", ungate(t, podOf(t, built["a"]), "a")["spec"], busy()["spec"])
		})
	}
}

// A workload that does not state its command is not passed over.
func TestKustomizeWithoutCommand(t *testing.T) {
	t.Parallel()
	template := busy()
	delete(list(template, "spec", "containers")[0], "command")
	_, err := fleet(t, "build", kustomizeWorkload(t, object{
		"apiVersion": "apps/v1", "kind": "Deployment", "spec": object{"template": template},
		"metadata": object{"name": "a", "labels": object{"startgate": "enabled"}},
	}))
	if err == nil || !strings.Contains(err.Error(), "doc is missing path") || !strings.Contains(err.Error(), "/containers/0/command/0") {
		t.Errorf("%v, want that there is no command", err)
	}
}

// reportFiles is the image of the example's CronJob.
const reportFiles = `
FROM ` + busyboxImage + `
RUN printf '#!/bin/sh\necho report starts "$@"\n' >/bin/report && chmod +x /bin/report
ENTRYPOINT ["report"]
CMD ["--all"]
`

// The workloads of the overlay wait for the sidecar. As they were they do not.
func TestKustomizePods(t *testing.T) {
	host.ready(t)
	if _, err := host.bud("registry.example/report:1", reportFiles, host.file("context")); err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	base, overlay := kustomized(t, "fleet/kustomize/base"), kustomized(t, "fleet/kustomize/overlay")
	t.Run("as it was", func(t *testing.T) {
		t.Parallel()
		p := play(t, inject(podOf(t, base["web"]), late...))
		eventually(t, "the application starts beside a sidecar that is not ready", func() bool { return p.listens("web", 8080) })
		if strings.Contains(p.log("istio-proxy"), "is ready") {
			t.Error("the sidecar was ready")
		}
	})
	t.Run("web", func(t *testing.T) {
		t.Parallel()
		webWaits(t, podOf(t, overlay["web"]), "replace")
	})
	t.Run("report", func(t *testing.T) {
		t.Parallel()
		p := play(t, inject(podOf(t, overlay["report"]), late...))
		p.until("report", "istio is not ready yet", 1)
		if strings.Contains(p.log("report"), "report starts") {
			t.Error("the application has not waited")
		}
		p.release("istio-proxy", syscall.SIGUSR2)
		p.ends()
		p.says("report", "istio is ready", "mode=supervise", "report starts --all\n")
		p.says("istio-proxy", string(yes))
		if phase := p.phase(); phase != "Succeeded" {
			t.Errorf("the pod is %s", phase)
		}
	})
}

// webWaits plays a pod of the web server, and checks that this listens when the
// sidecar is ready and not before.
func webWaits(t *testing.T, manifest object, mode string) *pod {
	t.Helper()
	p := play(t, inject(manifest, late...))
	p.until("web", "istio is not ready yet", 1)
	if p.listens("web", 8080) {
		t.Error("the application has not waited")
	}
	p.release("istio-proxy", syscall.SIGUSR2)
	eventually(t, "the startupProbe succeeds", func() bool { return p.listens("web", 8080) })
	p.says("web", "istio is ready", "starting httpd", "mode="+mode)
	return p
}

const fleetPolicy = "fleet/policy/policy.yaml"

// admit returns a pod as an API server with the policy keeps it.
func admit(t testing.TB, pod object) (object, error) {
	t.Helper()
	pod = deepCopy(t, pod)
	pod["apiVersion"], pod["kind"] = "v1", "Pod"
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pod.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err = fleet(t, "admit", fleetPolicy, file)
	if err != nil {
		return nil, err
	}
	var admitted object
	if err := json.Unmarshal(text, &admitted); err != nil {
		t.Fatal(err)
	}
	delete(admitted, "status")
	return admitted, nil
}

// chosen puts the label on a pod that the policy looks for, and an annotation that
// names a container.
func chosen(pod object, container string) object {
	metadata := at(pod, "metadata").(object)
	labels, _ := metadata["labels"].(object)
	if labels == nil {
		labels = object{}
	}
	labels["startgate"] = "enabled"
	metadata["labels"] = labels
	if container != "" {
		metadata["annotations"] = object{"kubectl.kubernetes.io/default-container": container}
	}
	return pod
}

// bare is a pod that has as little as a pod may.
func bare() object {
	return object{"metadata": object{"name": "bare"}, "spec": object{"containers": []any{
		object{"name": "a", "image": "i", "command": []any{"app"}, "resources": object{}},
	}}}
}

// The policy adds to one container of a pod with the label what makes it wait, and
// nothing else to any pod.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, annotation, waits string
		pod                     object
	}{
		{"bare", "", "a", bare()},
		{"with everything", "", "a", busy()},
		{"another container", "b", "b", busy()},
		{"behind a sidecar", "web", "web", object{"metadata": object{}, "spec": object{"containers": []any{
			object{"name": "istio-proxy", "image": "i", "resources": object{}},
			object{"name": "web", "image": "i", "command": []any{"app"}, "resources": object{}},
		}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := chosen(test.pod, test.annotation)
			admitted, err := admit(t, pod)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the pod, without what was added,", ungate(t, admitted, test.waits)["spec"], deepCopy(t, pod)["spec"])
			again, err := admit(t, admitted)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the pod, admitted twice,", again, admitted)
		})
	}
	t.Run("without the label", func(t *testing.T) {
		t.Parallel()
		for _, value := range []string{"", "disabled"} {
			pod := busy()
			at(pod, "metadata", "labels").(object)["startgate"] = value
			admitted, err := admit(t, pod)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "it", admitted["spec"], deepCopy(t, pod)["spec"])
		}
	})
	t.Run("a setting of its own", func(t *testing.T) {
		t.Parallel()
		own := object{"name": "STARTGATE_SIDECAR_STATUS", "value": "mine"}
		pod := chosen(bare(), "")
		containerIn(t, pod, "a")["env"] = []any{own}
		admitted, err := admit(t, pod)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the environment", containerIn(t, admitted, "a")["env"], []any{own})
	})
}

// A pod with the label that would not wait is refused, and the message says what to
// write.
func TestPolicyRefuses(t *testing.T) {
	t.Parallel()
	withoutCommand := chosen(bare(), "")
	delete(containerIn(t, withoutCommand, "a"), "command")
	for _, test := range []struct {
		name, want string
		pod        object
	}{
		{"no command", "container a states no command: write what its image has as ENTRYPOINT there, and its CMD", withoutCommand},
		{"no container", "the pod has no container c, which the annotation kubectl.kubernetes.io/default-container names", chosen(busy(), "c")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if admitted, err := admit(t, test.pod); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s\n%v", err, test.want, admitted)
			}
		})
	}
}

// The policy makes of a pod what the Kustomize component makes of it.
func TestPolicyAsKustomize(t *testing.T) {
	t.Parallel()
	base, overlay := kustomized(t, "fleet/kustomize/base"), kustomized(t, "fleet/kustomize/overlay")
	admitted, err := admit(t, chosen(podOf(t, base["web"]), ""))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the pod", admitted["spec"], podOf(t, overlay["web"])["spec"])
}

// A pod that the policy has changed, and Istio's webhook after it, waits for the
// sidecar.
func TestPolicyPods(t *testing.T) {
	host.ready(t)
	t.Parallel()
	base := kustomized(t, "fleet/kustomize/base")
	admitted, err := admit(t, chosen(podOf(t, base["web"]), ""))
	if err != nil {
		t.Fatal(err)
	}
	webWaits(t, admitted, "replace")
}

// Kyverno's policies are the API server's, which the tests evaluate.
func TestKyverno(t *testing.T) {
	t.Parallel()
	var specs [2][]string
	for i, file := range []string{fleetPolicy, "fleet/policy/kyverno.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			if _, spec, found := strings.Cut(document, "\n  matchConstraints:\n"); found {
				specs[i] = append(specs[i], strings.TrimSpace(spec))
			}
		}
	}
	if len(specs[0]) != 2 || !slices.Equal(specs[0], specs[1]) {
		t.Errorf("they differ:\n%s\n%s", specs[0], specs[1])
	}
}
