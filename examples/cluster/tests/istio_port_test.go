package tests

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	statusPort = "status.sidecar.istio.io/port"
	ready21    = "http://localhost:15021/healthz/ready"
)

// The annotation that moves the agent's status port. 15021 follows it, as startgate's
// advice says.
func TestIstioStatusPortMoved(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	moved := annotation(statusPort, "15030")
	pod := m.create(m.app("istio", moved, settings("STARTGATE_TIMEOUT=20s")))
	end := m.waitForEnds(pod, "app", 1)[0]
	if end.ExitCode != 124 || !strings.Contains(end.Message, "connection refused") || !strings.Contains(end.Message, ready21) {
		t.Errorf("code %d, %q", end.ExitCode, end.Message)
	}
	t.Log(end.Message)
	m.checkServes(m.create(m.app("envoy", moved, settings("STARTGATE_WAIT_FOR="+ready21))))
	m.checkJob(m.job("job", moved, settings("STARTGATE_WAIT_FOR="+ready21, "STARTGATE_QUIT=http://localhost:15030/quitquitquit")))
}

// With port 0 there is no status port, and 15021 is never ready. Envoy's own admin port is
// what can be asked.
func TestIstioStatusPortDisabled(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	disabled := annotation(statusPort, "0")
	pod := m.create(m.app("envoy", disabled, settings("STARTGATE_WAIT_FOR="+ready21, "STARTGATE_TIMEOUT=20s")))
	m.waitForWorkers(pod)
	end := m.waitForEnds(pod, "app", 1)[0]
	if end.ExitCode != 124 || !strings.Contains(end.Message, "status 503") {
		t.Errorf("code %d, %q", end.ExitCode, end.Message)
	}
	pod = m.create(m.app("istio", disabled, settings("STARTGATE_TIMEOUT=20s")))
	end = m.waitForEnds(pod, "app", 1)[0]
	if end.ExitCode != 124 || !strings.Contains(end.Message, "connection refused") {
		t.Errorf("code %d, %q", end.ExitCode, end.Message)
	}
	t.Log(end.Message)
	m.checkJob(m.job("job", disabled, settings("STARTGATE_WAIT_FOR=http://localhost:15000/ready", "STARTGATE_QUIT=http://localhost:15000/quitquitquit")))
}

// job makes a Job that asks Redis and ends.
func (m mesh) job(name string, options ...func(*corev1.Pod)) string {
	m.Helper()
	work := script("redis-cli -e -h " + m.redis + " incr starts || exit 1; echo it worked")
	return m.createJob(m.app(name, append([]func(*corev1.Pod){work}, options...)...))
}

// checkJob waits until the Job is complete. Its sidecar ended with 0.
func (m mesh) checkJob(job string) {
	m.Helper()
	if end, reason := m.waitForJob(job); end != batchv1.JobComplete {
		m.Errorf("the Job is %s: %s", end, reason)
	}
	pod := m.podOfJob(job)
	if log := m.log(pod, "app"); !strings.Contains(log, "it worked") {
		m.Errorf("the application has not worked:\n%s", log)
	}
	if codes := m.codes(pod, "istio-proxy"); len(codes) != 1 || codes[0] != 0 {
		m.Errorf("the sidecar ended with %v", codes)
	}
}
