package tests

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Where only some addresses are redirected, the others are reached before the proxy is up.
// startgate waits all the same: the annotation says that there is a proxy.
func TestIstioOutboundRanges(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	others := annotation("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.233.0.0/24")
	m.checkServes(m.create(m.app("without", others, withoutStartgate)))
	pod := m.create(m.app("with", others))
	m.checkServes(pod)
	if log := m.log(pod, "app"); !strings.Contains(log, logWaiting) {
		t.Errorf("startgate has not waited:\n%s", log)
	}
	redis := annotation("traffic.sidecar.istio.io/includeOutboundIPRanges", m.redis+"/32")
	pod = m.create(m.app("redirected-without", redis, withoutStartgate))
	if end := m.waitForEnds(pod, "app", 1)[0]; end.ExitCode != 1 {
		t.Errorf("the application exited with %d", end.ExitCode)
	}
	m.checkServes(m.create(m.app("redirected", redis)))
}

// With DNS capture no name is resolved before the agent is up. What startgate says of that
// leads to waiting for istio first, which helps.
func TestIstioDNSCapture(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	name := strings.ReplaceAll(m.redis, ".", "-") + "." + m.name + ".pod.cluster.local"
	ask := script("echo the application starts; redis-cli -e -h " + name + " incr starts || exit 1; echo it serves; exec sleep 3600")
	capture := func(init string) func(*corev1.Pod) {
		return proxy(nil, "ISTIO_META_DNS_CAPTURE=true", "ENVOY_INIT="+init)
	}
	pod := m.create(m.app("alone", ask, capture("1h"), settings("STARTGATE_WAIT_FOR=redis://"+name, "STARTGATE_TIMEOUT=15s")))
	if end := m.waitForEnds(pod, "app", 1)[0]; end.ExitCode != 124 {
		t.Errorf("code %d", end.ExitCode)
	}
	t.Log(m.log(pod, "app"))
	pod = m.create(m.app("both", ask, capture("2s"), settings("STARTGATE_WAIT_FOR=istio,redis://"+name)))
	m.checkServes(pod)
	t.Log(m.log(pod, "app"))
}

// The webhook rewrites the application's probes, so that the agent asks in the kubelet's
// place. They fail while startgate waits, and then not.
func TestIstioRewrittenProbes(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	get := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)}}
	pod := m.create(m.app("pod", func(pod *corev1.Pod) {
		app := &pod.Spec.Containers[0]
		app.Image, app.Args = "registry.example/app:1", nil
		app.StartupProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 180, ProbeHandler: get}
		app.LivenessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: get}
		app.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: get}
	}))
	m.eventually("the application is ready", func() bool { return m.status(pod, "app").Ready })
	seen, _ := m.pod(pod)
	probe := seen.Spec.Containers[0].StartupProbe
	if probe.HTTPGet == nil || probe.HTTPGet.Port.IntValue() != 15020 {
		t.Errorf("the probe was not rewritten: %v", probe)
	}
	t.Log(probe.HTTPGet.Path)
	if n := m.status(pod, "app").RestartCount; n != 0 {
		t.Errorf("the container was restarted %d times", n)
	}
	t.Log(m.kubectl("get", "events", "--field-selector", "involvedObject.name="+pod+",type=Warning"))
	t.Log(m.log(pod, "app"))
}
