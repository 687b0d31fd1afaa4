package tests

// The pods that the plugin is shown, and what happens to them.

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// anApp makes the application of the incident.
func anApp(options ...func(*corev1.Pod)) func(incident, string) {
	return func(i incident, name string) { i.create(i.app(name, options...)) }
}

// aPodThat makes a pod that does not need Redis.
func aPodThat(script string, options ...func(*corev1.Pod)) func(incident, string) {
	return func(i incident, name string) { i.create(aPod(name, script, options...)) }
}

// asks runs a shell script that asks Redis by $REDIS.
func asks(script string) func(incident, *corev1.Pod) {
	return func(i incident, pod *corev1.Pod) {
		app := &pod.Spec.Containers[0]
		last := len(app.Args) - 1
		if last >= 0 {
			app.Args[last] = "REDIS=" + i.redis + "; " + script
		} else {
			app.Command[len(app.Command)-1] = "REDIS=" + i.redis + "; " + script
		}
	}
}

// anAppThat makes the application of the incident with another script.
func anAppThat(script string, options ...func(*corev1.Pod)) func(incident, string) {
	return func(i incident, name string) {
		pod := i.app(name, options...)
		asks(script)(i, pod)
		i.create(pod)
	}
}

// asksOn asks Redis again and again, and does not end by TERM.
const asksOn = "trap '' TERM; while :; do redis-cli -e -h $REDIS ping; sleep 0.2; done"

// byHand makes the application with an injection that the injector cannot make.
func byHand(change func(i incident, pod *corev1.Pod), options ...func(*corev1.Pod)) func(incident, string) {
	return func(i incident, name string) {
		pod := i.app(name, append(options, notInjected)...)
		pod.Annotations["sidecar.istio.io/status"] = `{"initContainers":["istio-init"],"containers":["istio-proxy"]}`
		change(i, pod)
		i.create(pod)
	}
}

// istioInit redirects the pod's traffic.
func istioInit() corev1.Container {
	root := int64(0)
	return corev1.Container{
		Name: "istio-init", Image: "localhost/istio-init:1", Command: []string{"sh", "/istio-init.sh"},
		SecurityContext: &corev1.SecurityContext{RunAsUser: &root, Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}}},
	}
}

// istioProxy is the stand-in with the user that the redirect leaves alone.
func istioProxy(args ...string) corev1.Container {
	uid := int64(1337)
	return corev1.Container{
		Name: "istio-proxy", Image: "localhost/standin:1", Args: append([]string{"istio", "--carry"}, args...),
		SecurityContext: &corev1.SecurityContext{RunAsUser: &uid, RunAsGroup: &uid},
		ReadinessProbe: &corev1.Probe{PeriodSeconds: 2, ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: "/healthz/ready", Port: intstr.FromInt32(15021)},
		}},
	}
}

// nativeWithoutProbe is a native sidecar for which the kubelet does not wait.
func nativeWithoutProbe(_ incident, pod *corev1.Pod) {
	always := corev1.ContainerRestartPolicyAlways
	proxy := istioProxy("--hold-ready")
	proxy.RestartPolicy = &always
	pod.Spec.InitContainers = []corev1.Container{istioInit(), proxy}
}

// migration puts an init container behind the redirect, and a classic sidecar after it.
func migration(command ...string) func(incident, *corev1.Pod) {
	return func(i incident, pod *corev1.Pod) {
		init := corev1.Container{Name: "migrate", Image: "localhost/client:1", Command: slices.Clone(command), Env: []corev1.EnvVar{statusFromAnnotation}}
		for n := range init.Command {
			init.Command[n] = strings.ReplaceAll(init.Command[n], "$REDIS", i.redis)
		}
		pod.Spec.InitContainers = []corev1.Container{istioInit(), init}
		pod.Spec.Containers = append(pod.Spec.Containers, istioProxy())
	}
}

// When the sidecar of heldInVain comes up at its second try.
const (
	atOnce       = ""
	afterFailure = "until [ -e /state/failed ]; do sleep 0.1; done; "
)

// heldInVain has a hook that fails, and a sidecar that becomes ready at its second try.
func heldInVain(when string, options ...func(*corev1.Pod)) func(incident, string) {
	return func(i incident, name string) {
		pod := i.app(name, append(options, notInjected, withState)...)
		asks("redis-cli -e -h $REDIS ping || { touch /state/failed; exit 1; }; echo it serves; exec sleep 3600")(i, pod)
		pod.Annotations["sidecar.istio.io/status"] = `{"containers":["istio-proxy"]}`
		proxy := held("[ -e /state/tried ] || { touch /state/tried; exec /standin istio --carry --ready-after=1h; }; "+when+"exec /standin istio --carry", "4s").Spec.Containers[0]
		standin := istioProxy()
		proxy.SecurityContext, proxy.ReadinessProbe = standin.SecurityContext, standin.ReadinessProbe
		pod.Spec.InitContainers = []corev1.Container{istioInit()}
		pod.Spec.Containers = append([]corev1.Container{proxy}, pod.Spec.Containers...)
		i.create(pod)
	}
}

// What a test waits for.

// ends waits for so many ends. After the first the kubelet starts the container again at once, and its log may be that of
// neither run; after the second it backs off for 10 seconds.
func ends(container string, times int) func(incident, string) {
	return func(i incident, pod string) { i.Helper(); i.waitForEnds(pod, container, times) }
}

func logged(container, text string) func(incident, string) {
	return func(i incident, pod string) { i.Helper(); i.waitForLog(pod, container, text) }
}

// becomesReady lets the proxy become ready, and waits until its log and the pod's status say so.
func becomesReady(i incident, pod string) {
	i.Helper()
	i.waitForLog(pod, "istio-proxy", "listens")
	i.letBecomeReady(pod)
	i.waitForLog(pod, "istio-proxy", "Envoy proxy is ready")
	isReady(i, pod)
}

func isReady(i incident, name string) {
	i.Helper()
	i.eventually(name+" is ready", func() bool {
		pod, _ := i.pod(name)
		return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
	})
}

// What the plugin says of a pod depends on when it looks. These wait for what the answer rests on, and never ask
// the plugin itself.

// hasRun waits until a container has run for some time.
func hasRun(container string, long time.Duration) func(incident, string) {
	return func(i incident, pod string) {
		i.Helper()
		i.eventually(container+" has run for "+long.String(), func() bool {
			running := i.status(pod, container).State.Running
			return running != nil && time.Since(running.StartedAt.Time) > long
		})
	}
}

// wrote waits until a container has written a line some time ago.
func wrote(container, text string, ago time.Duration) func(incident, string) {
	return func(i incident, pod string) {
		i.Helper()
		i.waitForLine(pod, container, text, func(at time.Time) bool { return time.Since(at) > ago })
	}
}

// happened waits for an event of a pod: the kubelet sends them later than the status of what they tell of.
func happened(reason, text string) func(incident, string) {
	return func(i incident, pod string) {
		i.Helper()
		i.eventually(pod+" has the event "+reason+": "+text, func() bool {
			events, err := cluster.Client.CoreV1().Events(i.name).List(i.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + pod})
			return err == nil && slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
				return e.Reason == reason && strings.Contains(e.Message, text)
			})
		})
	}
}

// waitForLine waits for a line with this text and such a time.
func (n *namespace) waitForLine(pod, container, text string, is func(time.Time) bool) {
	n.Helper()
	n.eventually(container+" in "+pod+" writes "+text, func() bool {
		log, err := n.logs(pod, corev1.PodLogOptions{Container: container, Timestamps: true})
		for line := range strings.Lines(log) {
			stamp, _, _ := strings.Cut(line, " ")
			at, failed := time.Parse(time.RFC3339Nano, stamp)
			if err == nil && failed == nil && is(at) && strings.Contains(line, text) {
				return true
			}
		}
		return false
	})
}

// waitForNewLine waits for a line with this text that is not older than this.
func (n *namespace) waitForNewLine(pod, container, text string, than time.Time) {
	n.Helper()
	n.waitForLine(pod, container, text, func(at time.Time) bool { return !at.Before(than) })
}

// all does one thing after the other.
func all(steps ...func(incident, string)) func(incident, string) {
	return func(i incident, pod string) {
		i.Helper()
		for _, step := range steps {
			step(i, pod)
		}
	}
}
