//go:build linux

package podtest

// The manifests of the examples run as pods: the Deployment, the Jobs, the unmodified
// image and the pod with Vault's agent.

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// holdReady makes a stand-in start not ready, until the test lets it become ready.
var holdReady = []string{"--hold-ready"}

// checkStartsWhenReady lets the sidecar become ready as soon as startgate has seen that
// it is not, and checks that the application starts after that.
func (p *pod) checkStartsWhenReady(name, sidecar string) {
	p.Helper()
	p.waitForLog(name, "is not ready yet", 1)
	p.letBecomeReady(sidecar)
	p.waitForLog(name, "app starts", 1)
	ready, started := p.timeOf(sidecar, "is ready"), p.timeOf(name, "app starts")
	if !started.After(ready) {
		p.Errorf("the application started at %v, and the sidecar was ready at %v", started, ready)
	}
}

func TestDeploymentExample(t *testing.T) {
	needNode(t)
	for _, test := range []struct {
		name   string
		inject bool
		has    string
	}{
		{"injected", true, "istio is ready"},
		{"not injected", false, "istio is not waited for: " + logNotInjected},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			manifest := podFromFile(t, "deployment/deployment.yaml")
			app := containerIn(t, manifest, "app")
			period, failures := at(app, "startupProbe", "periodSeconds").(float64), at(app, "startupProbe", "failureThreshold").(float64)
			if budget := time.Duration(period*failures) * time.Second; budget <= 5*time.Minute {
				t.Errorf("the startupProbe fails for good after %v, and startgate waits for 5m", budget)
			}
			if test.inject {
				inject(manifest, holdReady...)
			}
			p := startPod(t, manifest)
			if test.inject {
				p.checkStartsWhenReady("app", "istio-proxy")
			}
			eventually(t, "the startupProbe succeeds", func() bool { return p.answers("app", 8080, "/healthz") })
			p.checkLog("app", test.has, "mode=replace")
			p.checkStop("app", 0)
			p.checkLog("app", "app stops")
		})
	}
}

// Each Job's application starts only when the sidecar is ready, and each Job's pod ends
// because the sidecar is asked to shut down.
func TestJobExamples(t *testing.T) {
	needNode(t)
	for _, test := range []struct {
		file, app, sidecar string
		add                func(object) // what a webhook adds
	}{
		{"job-istio/never.yaml", "job", "istio-proxy", func(o object) { inject(o, holdReady...) }},
		{"job-istio/on-failure.yaml", "job", "istio-proxy", func(o object) { inject(o, holdReady...) }},
		{"job-linkerd/job.yaml", "job", "linkerd-proxy", func(o object) {
			addContainer(o, standin("linkerd-proxy", append([]string{"linkerd"}, holdReady...)...))
		}},
		{"job-cloudsql/job.yaml", "migrate", "cloud-sql-proxy", func(o object) {}},
	} {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			manifest := podFromFile(t, test.file)
			test.add(manifest)
			useStandin(t, manifest)
			p := startPod(t, manifest)
			p.checkStartsWhenReady(test.app, test.sidecar)
			p.waitForEnd()
			p.checkLog(test.app, "app is done", "mode=supervise")
			p.checkLog(test.sidecar, standinAsked)
			if phase := p.phase(); phase != "Succeeded" {
				t.Errorf("the pod is %s", phase)
			}
		})
	}
}

// When the application fails, the sidecar is asked to shut down only if no further try
// follows in the same pod.
func TestFailingJobExamples(t *testing.T) {
	needPods(t)
	for file, again := range map[string]bool{"job-istio/never.yaml": false, "job-istio/on-failure.yaml": true} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			manifest := inject(podFromFile(t, file))
			app := containerIn(t, manifest, "job")
			app["args"] = []any{"/app", "--no-such-flag"}
			p := startPod(t, manifest)
			p.waitForLog("job", logExited("/app", 2), 1)
			if again {
				p.waitForLog("job", logExited("/app", 2), 2)
				p.checkLog("job", logNotAsked)
				p.stop(grace)
			}
			p.waitForEnd()
			if asked := p.wasAsked("istio-proxy"); asked == again || p.phase() != "Failed" {
				t.Errorf("the pod is %s; the sidecar was asked to shut down: %t", p.phase(), asked)
			}
		})
	}
}

// useStandin replaces the images that the tests do not have by the stand-in.
func useStandin(t testing.TB, pod object) {
	t.Helper()
	for _, container := range list(pod, "spec", "containers") {
		if strings.HasPrefix(container["image"].(string), "gcr.io/cloud-sql-connectors/cloud-sql-proxy:") {
			container["image"] = standinImage
			args := append([]any{"cloud-sql-proxy"}, anys(holdReady)...)
			container["args"] = append(args, container["args"].([]any)...)
		}
	}
}

func anys(words []string) []any {
	list := make([]any, len(words))
	for i, word := range words {
		list[i] = word
	}
	return list
}

// An image that has no startgate waits all the same.
func TestInstallExample(t *testing.T) {
	needPods(t)
	t.Parallel()
	p := checkWebWaits(t, podFromFile(t, "install/deployment.yaml"), "supervise")
	p.checkStop("web", 128+int(syscall.SIGTERM))
}

// With Vault's agent beside Istio's sidecar the application starts when the proxy is
// ready and the secret is there. A shell stands in for the agent, and writes as it does.
func TestVaultExample(t *testing.T) {
	needPods(t)
	t.Parallel()
	manifest := inject(podFromFile(t, "vault/pod.yaml"), holdReady...)
	agent := containerIn(t, manifest, "vault-agent")
	agent["image"] = busyboxImage
	agent["command"] = []any{"sh", "-c", `trap 'echo password=secret >/vault/secrets/.db; mv /vault/secrets/.db /vault/secrets/db' USR1
trap 'exit 0' TERM; echo agent starts; while :; do sleep 1 & wait; done`}
	mounts := list(agent, "volumeMounts")
	agent["volumeMounts"] = []any{mounts[len(mounts)-1]} // not its configuration
	spec := at(manifest, "spec").(object)
	spec["volumes"] = spec["volumes"].([]any)[1:]

	p := startPod(t, manifest)
	p.waitForLog("app", "istio is not ready yet", 1)
	p.letBecomeReady("istio-proxy")
	p.waitForLog("app", "file:///vault/secrets/db is not ready yet", 1)
	if strings.Contains(p.log("app"), "app starts") {
		t.Error("the application has not waited for the secret")
	}
	p.waitForLog("vault-agent", "agent starts", 1)
	p.signal("vault-agent", syscall.SIGUSR1)
	p.waitForLog("app", "app starts", 1)
	p.checkLog("app", "istio is ready", "file:///vault/secrets/db is ready", "mode=replace")
}
