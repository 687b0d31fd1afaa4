package tests

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Pods that do not come up or do not end, and those that startgate has nothing to do with.
func TestPluginStuck(t *testing.T) {
	t.Parallel()
	never, ready := sidecar("--ready-after=1h"), sidecar("--ready-after=0s")
	once := restart(corev1.RestartPolicyNever)
	diagnoseAll(t, map[string]patient{
		"deadlock":       {pod: byHand(migration("sh", "-c", "until redis-cli -e -h $REDIS ping; do sleep 1; done"), withoutStartgate), until: logged("migrate", "refused"), want: "init-container-deadlock", says: "migrate needs the network"},
		"deadlock-fails": {pod: byHand(migration("redis-cli", "-e", "-h", "$REDIS", "ping")), until: ends("migrate", 2), want: "init-container-deadlock", says: "migrate needs the network"},
		"deadlock-gated": {pod: byHand(migration("/startgate", "--wait")), until: logged("migrate", logWaiting), want: "init-container-deadlock", says: "migrate waits for"},
		"deadlock-plain": {pod: aPodThat(served, initWaits), until: logged("first", logWaiting), want: "init-container-deadlock", says: "first waits for"},
		"kept":           {pod: aJob("echo works", withoutStartgate), until: kept, is: "job/kept", want: "job-kept-by-its-sidecar"},
		"kept-gated":     {pod: aJob("echo works"), until: kept, is: "job/kept-gated", want: "job-kept-by-its-sidecar"},
		"done":           {pod: aJob("echo works", settings("STARTGATE_QUIT=istio")), until: done, is: "job/done", want: "healthy"},
		"never-ready":    {pod: anApp(withoutStartgate, never), until: all(ends("app", 1), hasRun("istio-proxy", 30*time.Second)), want: "sidecar-never-ready", says: "no configuration"},
		"never-image":    {pod: byHand(withProxy("localhost/none:1"), withoutStartgate), until: reason("istio-proxy", "ErrImageNeverPull"), want: "sidecar-never-ready", says: "image"},
		"never-crash":    {pod: aPodThat(served, withoutStartgate, sidecar("--nonsense"), restart(corev1.RestartPolicyAlways)), until: ends("istio-proxy", 2), want: "sidecar-never-ready", says: "code 2"},
		"waiting":        {pod: anApp(), until: wrote("app", logWaiting, 10*time.Second), want: "gated-and-stuck" + mayBeLong, says: "has waited for istio"},
		"code-124":       {pod: anApp(never, settings("STARTGATE_TIMEOUT=2s")), until: ends("app", 1), want: "gated-and-stuck" + mayBeLong, says: "code 124"},
		"code-124-once":  {pod: anApp(never, settings("STARTGATE_TIMEOUT=2s"), once), until: all(ends("app", 1), hasRun("istio-proxy", 0)), want: "gated-and-stuck" + mayBeLong + " job-kept-by-its-sidecar", says: "code 124"},
		"code-125":       {pod: anApp(ready, settings("STARTGATE_TIMEOUT=soon")), until: ends("app", 2), want: "gated-and-stuck", says: "code 125"},
		"code-126":       {pod: anApp(ready, arguments("/tmp")), until: ends("app", 2), want: "gated-and-stuck", says: "code 126"},
		"code-127":       {pod: anApp(ready, arguments("nothing")), until: ends("app", 2), want: "gated-and-stuck", says: "code 127"},
		"startup-probe":  {pod: aPodThat(serves, never, restart(corev1.RestartPolicyAlways), smallStartup), until: all(happened("Killing", "failed startup probe"), ends("app", 1)), want: "probe-budget-too-small" + mayBeLong, says: "it allows 3s"},
		"liveness-probe": {pod: aPodThat(serves, never, restart(corev1.RestartPolicyAlways), smallLiveness), until: all(happened("Killing", "failed liveness probe"), ends("app", 2)), want: "probe-budget-too-small" + mayBeLong, says: "livenessProbe"},
		"not-injected":   {pod: aPodThat(served, notInjected, settings("STARTGATE_WAIT_FOR=none")), until: logged("app", "works"), want: "not-injected"},
		"server-down":    {pod: anAppThat("redis-cli -e -h $REDIS -p 6380 ping; exit 1", notInjected, withoutStartgate), until: ends("app", 2), want: "not-injected", says: "refused"},
		"ambient":        {pod: aPodThat(served, notInjected, withoutStartgate, ambient), until: logged("app", "works"), want: "ambient"},
		"host-network":   {pod: aPodThat(served, notInjected, withoutStartgate, hostNetwork), until: logged("app", "works"), want: "host-network"},
		"uid-1337":       {pod: anApp(ready, proxyUser, withoutStartgate), until: logged("app", "it serves"), want: "uid-1337"},
		"uid-1337-gated": {pod: anApp(ready, proxyUser), until: logged("app", "it serves"), want: "uid-1337"},
		"silent":         {pod: aPodThat("exit 1", withoutStartgate, restart(corev1.RestartPolicyAlways)), until: all(ends("app", 2), sidecarReady), want: `cannot-tell\?`, says: "missing: "},
	})
}

// mayBeLong is what a sidecar that is not ready becomes after 30 seconds.
const mayBeLong = "(?: sidecar-never-ready)?"

// initWaits has startgate in an init container, in front of a classic sidecar.
func initWaits(pod *corev1.Pod) {
	pod.Spec.InitContainers = []corev1.Container{{
		Name: "first", Image: "registry.example/startgate:1", Command: []string{"/startgate", "--wait"}, Env: []corev1.EnvVar{statusFromAnnotation},
	}}
}

func arguments(args ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Args = args }
}

func smallStartup(pod *corev1.Pod)  { pod.Spec.Containers[0].StartupProbe = probe(1, 3) }
func smallLiveness(pod *corev1.Pod) { pod.Spec.Containers[0].LivenessProbe = probe(1, 3) }
func ambient(pod *corev1.Pod)       { pod.Labels["istio.io/dataplane-mode"] = "ambient" }
func hostNetwork(pod *corev1.Pod)   { pod.Spec.HostNetwork = true }

func proxyUser(pod *corev1.Pod) {
	uid := int64(1337)
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: &uid}
}

// withProxy has a sidecar of this image.
func withProxy(image string) func(incident, *corev1.Pod) {
	return func(_ incident, pod *corev1.Pod) {
		proxy := istioProxy()
		proxy.Image, proxy.ImagePullPolicy = image, corev1.PullNever
		pod.Spec.InitContainers = []corev1.Container{istioInit()}
		pod.Spec.Containers = append(pod.Spec.Containers, proxy)
	}
}

func aJob(script string, options ...func(*corev1.Pod)) func(incident, string) {
	return func(i incident, name string) { i.createJob(aPod(name, script, options...)) }
}

func kept(i incident, job string) {
	i.Helper()
	pod := i.podOfJob(job)
	i.waitForEnds(pod, "app", 1)
	sidecarReady(i, pod)
}

func done(i incident, job string) {
	i.Helper()
	i.waitForJob(job)
	i.waitForPhase(i.podOfJob(job), corev1.PodSucceeded)
}

func sidecarReady(i incident, pod string) {
	i.Helper()
	i.eventually("the sidecar is ready", func() bool { return i.status(pod, "istio-proxy").Ready })
}

// reason waits for why a container does not run.
func reason(container, reason string) func(incident, string) {
	return func(i incident, pod string) {
		i.Helper()
		i.eventually(container+": "+reason, func() bool {
			waiting := i.status(pod, container).State.Waiting
			return waiting != nil && waiting.Reason == reason
		})
	}
}
