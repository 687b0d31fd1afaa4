package tests

// The incident that startgate is made against, on a kubelet: an application needs a Redis and
// a PostgreSQL outside the mesh, and all its traffic is redirected to a proxy that is not ready yet.

import (
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// incident has the servers of all its pods.
type incident struct {
	*namespace
	redis, postgres string // their addresses
}

func newIncident(t *testing.T) incident {
	n := newNamespace(t)
	return incident{n, n.startRedis(), n.startPostgres()}
}

// app returns the application: it ends when it does not get what it needs, as many do.
func (i incident) app(name string, options ...func(*corev1.Pod)) *corev1.Pod {
	script := `echo the application starts
		redis-cli -e -h ` + i.redis + ` incr starts || failed=yes
		PGPASSWORD=secret psql -h ` + i.postgres + ` -U shop -d postgres -Atc 'show server_version' || failed=yes
		[ -z "$failed" ] || exit 1
		echo it serves
		exec sleep 3600`
	all := append([]func(*corev1.Pod){
		image("localhost/client:1"), annotated(redirected), sidecar("--hold-ready"), restart(corev1.RestartPolicyAlways),
	}, options...)
	return aPod(name, script, all...)
}

// Without startgate the application fails until its proxy is ready, and the README's
// commands say that this is why.
func TestIncidentWithoutStartgate(t *testing.T) {
	t.Parallel()
	i := newIncident(t)
	pod := i.create(i.app("without", withoutStartgate))
	for _, end := range i.waitForEnds(pod, "app", 2) {
		if end.ExitCode != 1 {
			t.Errorf("the application exited with %d", end.ExitCode)
		}
	}
	i.eventually("the kubelet backs off", func() bool {
		waiting := i.status(pod, "app").State.Waiting
		return waiting != nil && waiting.Reason == "CrashLoopBackOff"
	})
	i.checkRefused(pod)
	i.eventually("an event of the readiness probe", func() bool {
		return strings.Contains(i.kubectl("get", "events"), "Readiness probe failed: HTTP probe failed with statuscode: 503")
	})
	i.letBecomeReady(pod)
	i.waitForLog(pod, "istio-proxy", "Envoy proxy is ready")
	commands := readmeCommands(i, "involvedObject.name=POD")
	if len(commands) != 3 {
		i.Fatalf("the README has %d commands: %q", len(commands), commands)
	}
	i.checkFound(pod, commands)
	i.eventually("the application serves", func() bool {
		log, _ := i.logs(pod, corev1.PodLogOptions{Container: "app"})
		return strings.Contains(log, "it serves")
	})
	// Now it has recovered, and what has failed is the try before.
	if !strings.Contains(commands[0], "--previous") {
		commands[0] = strings.Replace(commands[0], "kubectl logs", "kubectl logs --previous", 1)
	}
	i.checkFound(pod, commands)
}

// checkRefused checks that neither client of the application has reached its server.
func (i incident) checkRefused(pod string) {
	i.Helper()
	log, err := i.logs(pod, corev1.PodLogOptions{Container: "app", Previous: true})
	if err != nil {
		i.Fatal(err)
	}
	for _, text := range []string{
		"Could not connect to Redis at " + i.redis + ":6379: Connection refused",
		`connection to server at "` + i.postgres + `", port 5432 failed: Connection refused`,
	} {
		if !strings.Contains(log, text) {
			i.Errorf("the application does not say %q:\n%s", text, log)
		}
	}
}

// checkFound runs the README's commands for one pod, and reads what an operator would: a
// refused connection of the application that is older than the proxy's readiness.
func (i incident) checkFound(pod string, commands []string) {
	var found [3]string
	for n, command := range commands {
		found[n] = i.shell(strings.ReplaceAll(command, "POD", pod))
		i.Logf("$ %s\n%s", command, found[n])
	}
	refused, _, _ := strings.Cut(found[0], " ")
	ready := ""
	for line := range strings.Lines(found[1]) {
		if strings.Contains(line, "Envoy proxy is ready") {
			ready, _, _ = strings.Cut(line, " ")
		}
	}
	if !strings.Contains(found[0], "Connection refused") || refused >= ready {
		i.Errorf("refused at %q, and the proxy was ready at %q", refused, ready)
	}
	if !strings.Contains(found[2], "statuscode: 503") {
		i.Error("no event of the readiness probe says 503")
	}
}

// shell runs a command of the README's. Its kubectl is the cluster's, in this namespace.
func (i incident) shell(command string) string {
	i.Helper()
	kubectl := i.command()
	wrapped := `kubectl() { "` + kubectl.Path + `" ` + strings.Join(kubectl.Args[1:], " ") + ` "$@"; }; ` + command
	shell := exec.Command("sh", "-c", wrapped)
	shell.Env = kubectl.Env
	out, err := shell.CombinedOutput()
	if err != nil {
		i.Errorf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// With startgate the application starts once, when the proxy carries what both servers answer.
func TestIncidentWithStartgate(t *testing.T) {
	t.Parallel()
	i := newIncident(t)
	redis, postgres := "redis://"+i.redis, "postgres://"+i.postgres
	pod := i.create(i.app("with", settings("STARTGATE_WAIT_FOR=istio,"+redis+","+postgres)))
	i.waitForLog(pod, "app", logWaiting)
	i.eventually("an event of the readiness probe", func() bool {
		return strings.Contains(i.kubectl("get", "events"), "Readiness probe failed: HTTP probe failed with statuscode: 503")
	})
	if log := i.log(pod, "app"); strings.Contains(log, "the application starts") {
		t.Errorf("the application has not waited:\n%s", log)
	}
	i.letBecomeReady(pod)
	i.waitForLog(pod, "app", "it serves")
	log := i.log(pod, "app")
	for _, text := range []string{
		"event=ready target=" + redis + ` answer="PING ` + redis + `: PONG"`,
		"event=ready target=" + postgres + ` answer="startup to ` + postgres + `: it asks for authentication"`,
	} {
		if !strings.Contains(log, text) {
			t.Errorf("startgate does not say %q:\n%s", text, log)
		}
	}
	if n := strings.Count(log, "the application starts"); n != 1 || strings.Contains(log, "Connection refused") || i.status(pod, "app").RestartCount != 0 {
		t.Errorf("the application started %d times, its container was restarted %d times:\n%s", n, i.status(pod, "app").RestartCount, log)
	}
}

// When startgate gives up, kubectl describe says why.
func TestIncidentDescribe(t *testing.T) {
	t.Parallel()
	i := newIncident(t)
	pod := i.create(i.app("gives-up", settings("STARTGATE_TIMEOUT=3s"), restart(corev1.RestartPolicyNever)))
	end := i.waitForEnds(pod, "app", 1)[0]
	if end.ExitCode != 124 || !strings.Contains(end.Message, gaveUp) {
		t.Errorf("code %d, %q", end.ExitCode, end.Message)
	}
	described := i.kubectl("describe", "pod", pod)
	for _, text := range []string{gaveUp, "Exit Code:    124", "statuscode: 503"} {
		if !strings.Contains(described, text) {
			t.Errorf("kubectl describe has no %q:\n%s", text, described)
		}
	}
}
