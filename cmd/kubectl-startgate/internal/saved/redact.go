package saved

import (
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// redacted stands where a value was.
const redacted = "REDACTED"

// kept are the annotations that a diagnosis reads. The values of all others are left out: the last applied
// configuration alone has the whole manifest in it.
var kept = []string{
	"sidecar.istio.io/", "traffic.sidecar.istio.io/", "status.sidecar.istio.io/", "ambient.istio.io/", "linkerd.io/", "config.linkerd.io/",
	"config.alpha.linkerd.io/", "config.beta.linkerd.io/", "kuma.io/", "traffic.kuma.io/", "consul.hashicorp.com/connect-inject", "consul.hashicorp.com/transparent-proxy",
	"dapr.io/enabled", "vault.hashicorp.com/agent-inject-status", "vault.hashicorp.com/agent-pre-populate", "k8s.v1.cni.cncf.io/networks",
}

// redactPod returns a copy of a pod without what may be secret.
func redactPod(pod *corev1.Pod, taken time.Time) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	pod.ManagedFields = nil
	for key := range pod.Annotations {
		if !slices.ContainsFunc(kept, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			pod.Annotations[key] = redacted
		}
	}
	if !taken.IsZero() {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, takenAnnotation, taken.UTC().Format(time.RFC3339Nano))
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			redactContainer(&containers[i])
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		c := corev1.Container(pod.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		redactContainer(&c)
		pod.Spec.EphemeralContainers[i].EphemeralContainerCommon = corev1.EphemeralContainerCommon(c)
	}
	return pod
}

func redactContainer(c *corev1.Container) {
	for i := range c.Env {
		if c.Env[i].ValueFrom == nil {
			c.Env[i].Value = redacted
		}
	}
	c.Command, c.Args = redactArgs(c.Command, 1), redactArgs(c.Args, 0)
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if probe != nil {
			redactHandler(probe.Exec, probe.HTTPGet)
		}
	}
	if c.Lifecycle != nil {
		for _, hook := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if hook != nil {
				redactHandler(hook.Exec, hook.HTTPGet)
			}
		}
	}
}

// redactArgs leaves out all but the first few, of which a command needs one: the program.
func redactArgs(args []string, keep int) []string {
	for i := range args {
		if i >= keep {
			args[i] = redacted
		}
	}
	return args
}

func redactHandler(exec *corev1.ExecAction, get *corev1.HTTPGetAction) {
	if exec != nil {
		exec.Command = redactArgs(exec.Command, 1)
	}
	if get != nil {
		for i := range get.HTTPHeaders {
			get.HTTPHeaders[i].Value = redacted
		}
		get.Path, _, _ = strings.Cut(get.Path, "?")
	}
}

// quoted are the places of an event's message where the kubelet quotes the command of a hook or a probe.
var quoted = regexp.MustCompile(`(hook \(\[)[^\]]*|(command ')[^']*|(command: ")[^"]*|(message: ").*`)

// redactEvents leaves out the arguments that events quote.
func redactEvents(events []corev1.Event) (all []corev1.Event) {
	for _, event := range events {
		event.ManagedFields = nil
		event.Message = quoted.ReplaceAllString(event.Message, "$1$2$3$4"+redacted)
		all = append(all, event)
	}
	return all
}
