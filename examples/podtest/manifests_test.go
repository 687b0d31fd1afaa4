package podtest

// The manifests of the examples and of the READMEs: each one is read as an API server
// reads it, which finds a field that does not exist.

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// object is a part of a manifest.
type object = map[string]any

// parse reads manifests as an API server does. It returns the objects of each file.
func parse(files ...string) (map[string][]object, error) {
	text, err := runTool(manifestsTool, files...)
	if err != nil {
		return nil, err
	}
	var parsed map[string][]object
	return parsed, json.Unmarshal(text, &parsed)
}

// manifests returns the objects of all manifests in the examples' folders, by file.
var manifests = sync.OnceValues(func() (map[string][]object, error) {
	files, err := filepath.Glob("*/*.yaml")
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return file == composeFile }) // Kubernetes does not read it
	return parse(files...)
})

// podFromFile returns the pod that the first workload in a file makes. A test runs it
// without the controller of that workload.
func podFromFile(t testing.TB, file string) object {
	t.Helper()
	byFile, err := manifests()
	if err != nil {
		t.Fatal(err)
	}
	for _, workload := range byFile[file] {
		if workload["kind"] == "Pod" {
			return deepCopy(t, workload)
		}
		if at(workload, "spec", "template") != nil {
			return podOfWorkload(t, workload)
		}
	}
	t.Fatalf("%s has no pod", file)
	return nil
}

// podOfWorkload returns the pod that a workload makes.
func podOfWorkload(t testing.TB, workload object) object {
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

// at returns the value at a path of fields, or nil.
func at(value any, path ...string) any {
	for _, name := range path {
		fields, ok := value.(object)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}

// list returns the objects in the list at a path of fields.
func list(value any, path ...string) []object {
	items, _ := at(value, path...).([]any)
	var objects []object
	for _, item := range items {
		objects = append(objects, item.(object))
	}
	return objects
}

// deepCopy returns a copy that can be changed. It has the types that JSON has.
func deepCopy(t testing.TB, o object) object {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var clone object
	if err := json.Unmarshal(text, &clone); err != nil {
		t.Fatal(err)
	}
	return clone
}

// There are no subtests, because the parser reports the mistakes of all files at once.
func TestManifestsAreValid(t *testing.T) {
	byFile, err := manifests()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"deployment", "install", "job-cloudsql", "job-istio", "job-linkerd", "monitoring", "vault"} {
		if found, _ := filepath.Glob(folder + "/*.yaml"); len(found) == 0 {
			t.Errorf("examples/%s has no manifest", folder)
		}
	}
	for file, objects := range byFile {
		if len(objects) == 0 {
			t.Errorf("%s: no object", file)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), "README.md")); err != nil {
			t.Errorf("%s: its folder has no README: %v", file, err)
		}
	}
}

// Each of these has one mistake, and the parser reports all of them.
func TestInvalidManifestsAreRefused(t *testing.T) {
	dir := t.TempDir()
	var files, wants []string
	for name, test := range map[string]struct{ manifest, want string }{
		"unknown": {"apiVersion: batch/v1\nkind: Job\nspec: {backofflimit: 1}", `unknown field "spec.backofflimit"`},
		"twice":   {"apiVersion: v1\nkind: Pod\nspec: {nodeName: a, nodeName: b}", `"nodeName" already set`},
		"old":     {"apiVersion: batch/v1beta1\nkind: CronJob", `no kind "CronJob" is registered for version "batch/v1beta1"`},
		"type":    {"apiVersion: v1\nkind: Pod\nspec: {hostNetwork: 1}", "cannot unmarshal number"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(test.manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		files, wants = append(files, file), append(wants, test.want)
	}
	_, err := parse(files...)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nit should say %s", err, want)
		}
	}
}

func TestREADMEManifestsAreValid(t *testing.T) {
	readmes, err := filepath.Glob("*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	for _, readme := range append(readmes, "../README.md") {
		text, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
			manifest := wholeManifest(block[1])
			if manifest == "" {
				continue // compose's, or a part of one
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%d.yaml", strings.ReplaceAll(readme, "/", "-"), i))
			if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	if _, err := parse(files...); err != nil {
		t.Error(err)
	}
}

// wholeManifest completes a part of a pod's or a container's manifest; nothing for any other.
func wholeManifest(block string) string {
	switch first, _, _ := strings.Cut(block, ":"); first {
	case "apiVersion":
		return block
	case "metadata", "spec":
		return "apiVersion: v1\nkind: Pod\n" + block
	case "env", "command", "args":
		const begin = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: app\n"
		return begin + regexp.MustCompile("(?m)^").ReplaceAllString(strings.TrimSpace(block), "    ") + "\n"
	}
	return ""
}
