package tests

import (
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The races between an application and its sidecar, with startgate and without it.
func TestPluginRaces(t *testing.T) {
	t.Parallel()
	serves := all(becomesReady, logged("app", "it serves"))
	hookFails := happened("FailedPostStartHook", "")
	diagnoseAll(t, map[string]patient{
		"startup-race":          {pod: anApp(withoutStartgate), until: all(backsOff, proxyIsReady), want: `startup-race\??`, says: "before istio-proxy was ready"},
		"startup-race-gated":    {pod: anApp(), until: all(logged("app", logWaiting), serves), want: "healthy", says: "before app's first line"},
		"refused-after":         {pod: anAppThat(asksItself, sidecar("--ready-after=0s")), until: ends("app", 2), want: "refused-after-readiness"},
		"refused-after-alone":   {pod: anAppThat(asksItself, sidecar("--ready-after=0s"), withoutStartgate), until: ends("app", 2), want: "refused-after-readiness"},
		"refused-excluded":      {pod: anAppThat("redis-cli -e -h $REDIS -p 6380 ping; exit 1", excluded), until: ends("app", 2), want: "refused-after-readiness", says: "excludeOutboundPorts"},
		"shutdown":              {pod: anAppThat(asksOn, longGrace), until: isShutDown, want: `shutdown-race\?`},
		"shutdown-alone":        {pod: anAppThat(asksOn, longGrace, withoutStartgate), until: all(asksAgain, isShutDown), want: `shutdown-race\?`},
		"proxy-restarted":       {pod: anAppThat(asksOn), until: isRestarted, want: "proxy-restarted"},
		"restarted-alone":       {pod: anAppThat(asksOn, withoutStartgate), until: all(asksAgain, isRestarted), want: "proxy-restarted"},
		"dns":                   {pod: anAppThat(asksByName, withoutStartgate, ownResolver), until: all(backsOff, namesResolve, proxyIsReady), want: `dns-before-the-proxy\?`, says: "a name did not resolve"},
		"dns-gated":             {pod: anAppThat(asksByName, ownResolver), until: all(logged("app", logWaiting), namesResolve, serves), want: "healthy"},
		"native-no-probe":       {pod: byHand(nativeWithoutProbe, withoutStartgate), until: all(backsOff, proxyIsReady), want: "native-sidecar-without-startup-probe"},
		"native-no-probe-gated": {pod: byHand(nativeWithoutProbe), until: all(logged("app", logWaiting), serves), want: "healthy"},
		"native":                {pod: anApp(withoutStartgate, annotated(nativeSidecar)), until: serves, want: "healthy"},
		"hold":                  {pod: heldInVain(afterFailure, withoutStartgate), until: all(hookFails, isTriedAgain, sidecarReady), want: "hold-ran-out", says: "failed"},
		"hold-gated":            {pod: heldInVain(atOnce), until: all(hookFails, isTriedAgain, logged("app", "it serves"), isReady), want: "hold-ran-out", says: "startgate waits in it"},
	})
}

const (
	asksItself = "redis-cli -e -h 127.0.0.1 -p 6380 ping; exit 1"
	asksByName = "redis-cli -e -h redis.example ping || exit 1; echo it serves; exec sleep 3600"
)

// excluded says that a port is not redirected. Nothing is in this pod.
func excluded(pod *corev1.Pod) {
	pod.Annotations[redirected] = "false"
	pod.Annotations[argsAnnotation] = "--ready-after=0s"
	pod.Annotations["traffic.sidecar.istio.io/excludeOutboundPorts"] = "6380"
}

func longGrace(pod *corev1.Pod) {
	seconds := int64(120)
	pod.Spec.TerminationGracePeriodSeconds = &seconds
}

// backsOff waits until the kubelet will not start the application for the next seconds, in which the proxy becomes
// ready. It starts a container again at once, then after 10 seconds, 20, 40 and so on.
func backsOff(i incident, pod string) {
	i.Helper()
	i.eventually("the kubelet backs off", func() bool {
		ends := i.endsOf(pod, "app")
		if len(ends) < 2 {
			return false
		}
		backOff := 10 * time.Second << (len(ends) - 2)
		return time.Until(ends[len(ends)-1].FinishedAt.Add(backOff)) > 8*time.Second
	})
}

// proxyIsReady lets the proxy become ready, after it has said once more that it is not.
func proxyIsReady(i incident, pod string) {
	i.Helper()
	i.waitForNewLine(pod, "istio-proxy", "NOT ready", time.Now())
	i.letBecomeReady(pod)
	i.waitForLog(pod, "istio-proxy", "Envoy proxy is ready")
}

// asksAgain waits until the application has tried again after it was refused.
func asksAgain(i incident, pod string) {
	i.Helper()
	i.eventually("the application asks again", func() bool {
		log, err := i.logs(pod, corev1.PodLogOptions{Container: "app"})
		return err == nil && strings.Count(log, "Connection refused") > 1
	})
}

// isShutDown deletes the pod, whose proxy ends at once and whose application does not.
func isShutDown(i incident, pod string) {
	i.Helper()
	becomesReady(i, pod)
	i.waitForLog(pod, "app", "PONG")
	i.kubectl("delete", "pod", pod, "--wait=false")
	i.waitForLog(pod, "istio-proxy", "exits")
	i.waitForNewLine(pod, "app", "Connection refused", time.Now().Add(2*time.Second)) // the kubelet's times have whole seconds
}

// isRestarted kills the proxy, and lets it become ready again when the application was refused.
func isRestarted(i incident, pod string) {
	i.Helper()
	becomesReady(i, pod)
	i.waitForLog(pod, "app", "PONG")
	i.signal(pod, "istio-proxy", syscall.SIGKILL)
	isTriedAgain(i, pod)
	i.waitForLog(pod, "istio-proxy", "listens")
	i.waitForNewLine(pod, "app", "Connection refused", time.Now())
	becomesReady(i, pod)
}

// isTriedAgain waits for the second run of the proxy.
func isTriedAgain(i incident, pod string) {
	i.Helper()
	i.eventually("the proxy is restarted", func() bool {
		status := i.status(pod, "istio-proxy")
		return status.RestartCount > 0 && status.State.Running != nil
	})
}
