package tests

import (
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// What kubectl startgate says of Istio's own agent, whose log tells of the readiness when it is asked.
func TestIstioPlugin(t *testing.T) {
	always := restart(corev1.RestartPolicyAlways)
	slow := proxy(nil, "ENVOY_INIT=15s")
	for name, test := range map[string]struct {
		options []func(*corev1.Pod)
		until   func(incident, string)
		want    string
	}{
		"without":      {[]func(*corev1.Pod){withoutStartgate, always, slow}, all(ends("app", 2), sidecarReady), `startup-race\??`},
		"with":         {[]func(*corev1.Pod){always, slow}, all(logged("app", "it serves"), isReady), "healthy"},
		"native":       {[]func(*corev1.Pod){withoutStartgate, always, native(true)}, all(logged("app", "it serves"), isReady), "healthy"},
		"held":         {[]func(*corev1.Pod){withoutStartgate, always, proxy(hold, "ENVOY_INIT=2s")}, all(logged("app", "it serves"), isReady), "healthy"},
		"held-in-vain": {[]func(*corev1.Pod){withoutStartgate, always, proxy(hold, "ENVOY_INIT=1h")}, all(happened("FailedPostStartHook", ""), ends("app", 1)), "hold-ran-out(?: sidecar-never-ready)?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			pod := m.create(m.app(name, test.options...))
			test.until(incident{namespace: m.namespace, redis: m.redis}, pod)
			found, out := m.diagnose(pod)
			if got := found.names(); !regexp.MustCompile("^(?:" + test.want + ")$").MatchString(got) {
				t.Errorf("want %s, got %s\n%s", test.want, got, out)
			}
			text, _, _ := m.plugin("diagnose", pod)
			t.Log("\n" + text)
		})
	}
}
