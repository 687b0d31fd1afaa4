package podtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// object is a part of a manifest.
type object = map[string]any

// parse reads manifests as an API server does. The parser is a module of its own.
func parse(files ...string) (map[string][]object, error) {
	args := []string{"run", "-C", "internal/manifests", "."}
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		args = append(args, path)
	}
	cmd := exec.Command("go", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, &stderr)
	}
	var parsed map[string][]object
	return parsed, json.Unmarshal(stdout.Bytes(), &parsed)
}

// parsed has all manifests beside this file, by their paths.
var parsed = sync.OnceValues(func() (map[string][]object, error) {
	files, err := filepath.Glob("*/*.yaml")
	if err != nil {
		return nil, err
	}
	byPath, err := parse(files...)
	manifests := map[string][]object{}
	for _, file := range files {
		path, absErr := filepath.Abs(file)
		if absErr != nil {
			return nil, absErr
		}
		manifests[file] = byPath[path]
	}
	return manifests, err
})

// podIn returns a pod as the workload in a file makes it. So a Job runs where there
// is nobody to control one.
func podIn(t testing.TB, file string) object {
	t.Helper()
	manifests, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	for _, workload := range manifests[file] {
		if workload["kind"] == "Pod" {
			return deepCopy(t, workload)
		}
		if template, ok := at(workload, "spec", "template").(object); ok {
			pod := deepCopy(t, template)
			pod["apiVersion"], pod["kind"] = "v1", "Pod"
			at(pod, "metadata").(object)["name"] = at(workload, "metadata", "name")
			return pod
		}
	}
	t.Fatalf("%s has no pod", file)
	return nil
}

// at returns what is at a path of fields.
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

// deepCopy makes a manifest that can be changed, with the types that JSON has.
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

// TestManifests finds one that an API server would refuse. It has no sub-tests, so
// that it tells of all mistakes at once.
func TestManifests(t *testing.T) {
	manifests, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"deployment", "install", "job-cloudsql", "job-istio", "job-linkerd", "monitoring", "vault"} {
		if found, _ := filepath.Glob(folder + "/*.yaml"); len(found) == 0 {
			t.Errorf("examples/%s has no manifest", folder)
		}
	}
	for file, objects := range manifests {
		if len(objects) == 0 {
			t.Errorf("%s: no object", file)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), "README.md")); err != nil {
			t.Errorf("%s: nothing says what it is: %v", file, err)
		}
	}
}

// TestManifestsRefused shows what the parser is for.
func TestManifestsRefused(t *testing.T) {
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
		t.Fatal("all of them are accepted")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nit should say %s", err, want)
		}
	}
}

// TestREADMEManifests finds a manifest in a README that an API server would refuse.
func TestREADMEManifests(t *testing.T) {
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
			if !strings.HasPrefix(block[1], "apiVersion:") {
				continue // a part of one
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%d.yaml", strings.ReplaceAll(readme, "/", "-"), i))
			if err := os.WriteFile(file, []byte(block[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	if _, err := parse(files...); err != nil {
		t.Error(err)
	}
}
