//go:build linux

package podtest

// Helpers: manifests of pods, and what a webhook adds to them.

import (
	"strings"
	"testing"
)

// The annotation that Istio's webhook puts on a pod, for each kind of sidecar.
const (
	statusAnnotation = "sidecar.istio.io/status"
	classicStatus    = `{"initContainers":["istio-init"],"containers":["istio-proxy"],"volumes":["istio-envoy"]}`
	nativeStatus     = `{"initContainers":["istio-init","istio-proxy"],"containers":null,"volumes":["istio-envoy"]}`
)

// standin returns a container that plays a sidecar.
func standin(name string, args ...string) object {
	return object{"name": name, "image": standinImage, "args": args}
}

// inject changes a pod as Istio's webhook does: it adds the annotation and the sidecar,
// here a stand-in with these flags.
func inject(pod object, flags ...string) object {
	annotate(pod, classicStatus)
	addContainer(pod, standin("istio-proxy", append([]string{"istio"}, flags...)...))
	return pod
}

func annotate(pod object, status string) {
	metadata := at(pod, "metadata").(object)
	annotations, _ := metadata["annotations"].(object)
	if annotations == nil {
		annotations = object{}
	}
	annotations[statusAnnotation] = status
	metadata["annotations"] = annotations
}

func addContainer(pod, container object) {
	spec := at(pod, "spec").(object)
	containers, _ := spec["containers"].([]any)
	spec["containers"] = append(containers, container)
}

// containerIn returns the container of a pod that has this name.
func containerIn(t testing.TB, pod object, name string) object {
	t.Helper()
	for _, container := range list(pod, "spec", "containers") {
		if container["name"] == name {
			return container
		}
	}
	t.Fatalf("no container %s", name)
	return nil
}

// setEnv adds variables, each NAME=value, to a container.
func setEnv(container object, variables ...string) {
	env, _ := container["env"].([]any)
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		env = append(env, object{"name": name, "value": value})
	}
	container["env"] = env
}

// Shell scripts that play the application.
const (
	worksForever = "echo working; sleep 1000"
	exitsOnTERM  = "trap 'echo stopping; exit 0' TERM; echo working; sleep 1000 & wait"
	ignoresTERM  = "trap '' TERM; echo working; sleep 1000"
	exitsOnUSR1  = "trap 'exit 0' USR1; echo working; sleep 1000 & wait"

	missingProgram = "/missing" // not a script: the program does not exist
)

// once makes a script exit with 0 in every try but the first.
func once(script string) string {
	return "[ -e /state/tried ] && exit 0; touch /state/tried; " + script
}

// shell returns a container with a shell script behind startgate.
func shell(name, script string) object {
	args := []any{"sh", "-c", script}
	if script == missingProgram {
		args = []any{missingProgram}
	}
	return object{
		"name": name, "image": shellImage, "args": args,
		"env": []any{object{
			"name":      "STARTGATE_SIDECAR_STATUS",
			"valueFrom": object{"fieldRef": object{"fieldPath": "metadata.annotations['" + statusAnnotation + "']"}},
		}},
		"volumeMounts": []any{object{"name": "state", "mountPath": "/state"}},
	}
}

// shellPod returns a pod of one container, app, with a shell script behind startgate.
func shellPod(name, policy string, settings []string, script string) object {
	app := shell("app", script)
	setEnv(app, settings...)
	return object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": name},
		"spec": object{
			"restartPolicy": policy,
			"volumes":       []any{object{"name": "state", "emptyDir": object{}}},
			"containers":    []any{app},
		},
	}
}

// jobPod returns a pod as a Job makes it, with Istio's sidecar injected.
func jobPod(policy string, settings []string, script string, sidecar []string) object {
	if !strings.Contains(strings.Join(settings, " "), "STARTGATE_QUIT_TIMEOUT") {
		settings = append(settings, "STARTGATE_QUIT_TIMEOUT=1m") // for a machine that is busy
	}
	return inject(shellPod("job", policy, settings, script), sidecar...)
}
