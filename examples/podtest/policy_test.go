//go:build linux

package podtest

// The admission policies of the fleet example: what they change and what they refuse.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const fleetPolicy = "fleet/policy/policy.yaml"

// admit returns the pod that an API server with the policy stores.
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
	text, err = runTool(fleetTool, "admit", fleetPolicy, file)
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

// labelled puts the label on a pod that the policy selects by, and an annotation that
// names a container.
func labelled(pod object, container string) object {
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

// The policy adds to one container of a pod with the label what makes it wait. It changes
// nothing else, and no other pod.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, annotation, waits string
		pod                     object
	}{
		{"bare", "", "a", minimalPod()},
		{"with everything", "", "a", fullPod()},
		{"another container", "b", "b", fullPod()},
		{"behind a sidecar", "web", "web", object{"metadata": object{}, "spec": object{"containers": []any{
			object{"name": "istio-proxy", "image": "i", "resources": object{}},
			object{"name": "web", "image": "i", "command": []any{"app"}, "resources": object{}},
		}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := labelled(test.pod, test.annotation)
			admitted, err := admit(t, pod)
			if err != nil {
				t.Fatal(err)
			}
			checkEqual(t, "the pod, without what was added,", withoutStartgate(t, admitted, test.waits)["spec"], deepCopy(t, pod)["spec"])
			again, err := admit(t, admitted)
			if err != nil {
				t.Fatal(err)
			}
			checkEqual(t, "the pod, admitted twice,", again, admitted)
		})
	}
	t.Run("without the label", func(t *testing.T) {
		t.Parallel()
		for _, value := range []string{"", "disabled"} {
			pod := fullPod()
			at(pod, "metadata", "labels").(object)["startgate"] = value
			admitted, err := admit(t, pod)
			if err != nil {
				t.Fatal(err)
			}
			checkEqual(t, "the pod", admitted["spec"], deepCopy(t, pod)["spec"])
		}
	})
	t.Run("a setting of its own", func(t *testing.T) {
		t.Parallel()
		own := object{"name": "STARTGATE_SIDECAR_STATUS", "value": "mine"}
		pod := labelled(minimalPod(), "")
		containerIn(t, pod, "a")["env"] = []any{own}
		admitted, err := admit(t, pod)
		if err != nil {
			t.Fatal(err)
		}
		checkEqual(t, "the environment", containerIn(t, admitted, "a")["env"], []any{own})
	})
}

// A pod with the label that would not wait is refused, and the message says what to
// write.
func TestPolicyRefuses(t *testing.T) {
	t.Parallel()
	withoutCommand := labelled(minimalPod(), "")
	delete(containerIn(t, withoutCommand, "a"), "command")
	for _, test := range []struct {
		name, want string
		pod        object
	}{
		{"no command", "container a states no command: write what its image has as ENTRYPOINT there, and its CMD", withoutCommand},
		{"no container", "the pod has no container c, which the annotation kubectl.kubernetes.io/default-container names", labelled(fullPod(), "c")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if admitted, err := admit(t, test.pod); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s\n%v", err, test.want, admitted)
			}
		})
	}
}

// The policy and the Kustomize component make the same pod, which waits: TestKustomizePods
// runs it.
func TestPolicyMatchesKustomize(t *testing.T) {
	t.Parallel()
	base, overlay := kustomizeBuild(t, "fleet/kustomize/base"), kustomizeBuild(t, "fleet/kustomize/overlay")
	admitted, err := admit(t, labelled(podOfWorkload(t, base["web"]), ""))
	if err != nil {
		t.Fatal(err)
	}
	checkEqual(t, "the pod", admitted["spec"], podOfWorkload(t, overlay["web"])["spec"])
}

// Kyverno's policies have the same expressions as the API server's, which the other tests
// evaluate.
func TestKyvernoMatchesPolicy(t *testing.T) {
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
		t.Errorf("the policies differ:\n%s\n%s", specs[0], specs[1])
	}
}
