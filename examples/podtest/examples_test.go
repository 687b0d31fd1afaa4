//go:build linux

package podtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// late is a sidecar that is not ready before startgate has seen it.
var late = []string{"--hold-ready"}

// startsAfter lets the late sidecar in one container get ready when startgate, in
// front of the application in another, has seen that it is not, and checks that the
// application starts after that. Both begin their lines with the time.
func (p *pod) startsAfter(name, sidecar string) {
	p.Helper()
	p.until(name, "is not ready yet", 1)
	p.release(sidecar, syscall.SIGUSR2)
	p.until(name, "app starts", 1)
	ready, started := p.when(sidecar, "is ready"), p.when(name, "app starts")
	if !started.After(ready) {
		p.Errorf("the application started at %v, and the sidecar was ready at %v", started, ready)
	}
}

// when returns the time of the first line of a container's log with this text.
func (p *pod) when(name, text string) time.Time {
	p.Helper()
	for line := range strings.Lines(p.log(name)) {
		if stamp, _, _ := strings.Cut(line, " "); strings.Contains(line, text) {
			at, err := time.Parse(time.RFC3339Nano, stamp)
			if err != nil {
				p.Fatal(err)
			}
			return at
		}
	}
	p.Fatalf("%s does not print %q", name, text)
	return time.Time{}
}

// answers tells whether a kubelet's probe of a path would succeed.
func (p *pod) answers(name string, port int, path string) bool {
	p.Helper()
	_, err := p.get(name, port, path)
	return err == nil
}

// get asks for a path from inside the pod's network, which nobody outside can reach.
func (p *pod) get(name string, port int, path string) (string, error) {
	p.Helper()
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.state(name).Pid))
	if err != nil {
		return "", err
	}
	defer network.Close()
	var text string
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err = unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err == nil {
			text, err = get(fmt.Sprintf("127.0.0.1:%d", port), path)
		}
	}()
	<-done
	return text, err
}

// get asks for a path without leaving its thread, as a client of net/http would.
func get(addr, path string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// listens tells whether a port of the pod accepts connections.
func (p *pod) listens(name string, port int) bool {
	p.Helper()
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", p.state(name).Pid, table))
		// sl local_address rem_address st: 0A is LISTEN
		if err == nil && regexp.MustCompile(fmt.Sprintf(`:%04X [0-9A-F]+:0000 0A `, port)).Match(text) {
			return true
		}
	}
	return false
}

func TestDeployment(t *testing.T) {
	host.ready(t)
	for _, test := range []struct {
		name   string
		inject bool
		has    string
	}{
		{"injected", true, "istio is ready"},
		{"not injected", false, "istio is not waited for: the pod is not injected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			manifest := podIn(t, "deployment/deployment.yaml")
			app := containerIn(t, manifest, "app")
			period, failures := at(app, "startupProbe", "periodSeconds").(float64), at(app, "startupProbe", "failureThreshold").(float64)
			if budget := time.Duration(period*failures) * time.Second; budget <= 5*time.Minute {
				t.Errorf("the startupProbe fails for good after %v, and startgate waits for 5m", budget)
			}
			if test.inject {
				inject(manifest, late...)
			}
			p := play(t, manifest)
			if test.inject {
				p.startsAfter("app", "istio-proxy")
			}
			eventually(t, "the startupProbe succeeds", func() bool { return p.answers("app", 8080, "/healthz") })
			p.says("app", test.has, "mode=replace")
			began := time.Now()
			p.stop(grace)
			if s, took := p.state("app"), time.Since(began); s.ExitCode != 0 || s.Restarts != 0 || took > grace/2 {
				t.Errorf("code %d after %d restarts and %v, want 0 at once", s.ExitCode, s.Restarts, took)
			}
			p.says("app", "app stops")
		})
	}
}

// Each Job's pod ends, with the sidecar told, after an application that started
// only when the sidecar was ready.
func TestJobs(t *testing.T) {
	host.ready(t)
	for _, test := range []struct {
		file, app, sidecar string
		add                func(object) // what a webhook adds
	}{
		{"job-istio/never.yaml", "job", "istio-proxy", func(o object) { inject(o, late...) }},
		{"job-istio/on-failure.yaml", "job", "istio-proxy", func(o object) { inject(o, late...) }},
		{"job-linkerd/job.yaml", "job", "linkerd-proxy", func(o object) {
			addContainer(o, standin("linkerd-proxy", append([]string{"linkerd"}, late...)...))
		}},
		{"job-cloudsql/job.yaml", "migrate", "cloud-sql-proxy", func(o object) {}},
	} {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			manifest := podIn(t, test.file)
			test.add(manifest)
			standIn(t, manifest)
			p := play(t, manifest)
			p.startsAfter(test.app, test.sidecar)
			p.ends()
			p.says(test.app, "app is done", "mode=supervise")
			p.says(test.sidecar, string(yes))
			if phase := p.phase(); phase != "Succeeded" {
				t.Errorf("the pod is %s", phase)
			}
		})
	}
}

// The Jobs, failing: the sidecar is told only where there is no next try in this
// pod.
func TestJobsFail(t *testing.T) {
	host.ready(t)
	for file, again := range map[string]bool{"job-istio/never.yaml": false, "job-istio/on-failure.yaml": true} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			manifest := inject(podIn(t, file))
			app := containerIn(t, manifest, "job")
			app["args"] = []any{"/app", "--no-such-flag"}
			p := play(t, manifest)
			p.until("job", "/app is over\" code=2", 1)
			if again {
				p.until("job", "/app is over\" code=2", 2)
				p.says("job", tellsNone)
				p.stop(grace)
			}
			p.ends()
			if told := strings.Contains(p.log("istio-proxy"), string(yes)); told == again || p.phase() != "Failed" {
				t.Errorf("the pod is %s; the sidecar was told: %t", p.phase(), told)
			}
		})
	}
}

// standIn puts the stand-in in the place of the images that it stands in for.
func standIn(t testing.TB, pod object) {
	t.Helper()
	for _, container := range list(pod, "spec", "containers") {
		if strings.HasPrefix(container["image"].(string), "gcr.io/cloud-sql-connectors/cloud-sql-proxy:") {
			container["image"] = standinImage
			args := append([]any{"cloud-sql-proxy"}, anys(late)...)
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

// An image that knows nothing of startgate waits.
func TestInstall(t *testing.T) {
	host.ready(t)
	t.Parallel()
	p := webWaits(t, podIn(t, "install/deployment.yaml"), "supervise")
	p.stopsWith("web", 128+int(syscall.SIGTERM))
}

// Vault's agent beside Istio: the application starts when the proxy is ready and
// the secret is there. A shell stands in for the agent, and writes as it does.
func TestVault(t *testing.T) {
	host.ready(t)
	t.Parallel()
	manifest := inject(podIn(t, "vault/pod.yaml"), late...)
	agent := containerIn(t, manifest, "vault-agent")
	agent["image"] = busyboxImage
	agent["command"] = []any{"sh", "-c", `trap 'echo password=secret >/vault/secrets/.db; mv /vault/secrets/.db /vault/secrets/db' USR1
trap 'exit 0' TERM; echo agent starts; while :; do sleep 1 & wait; done`}
	mounts := list(agent, "volumeMounts")
	agent["volumeMounts"] = []any{mounts[len(mounts)-1]} // not its configuration
	spec := at(manifest, "spec").(object)
	spec["volumes"] = spec["volumes"].([]any)[1:]

	p := play(t, manifest)
	p.until("app", "istio is not ready yet", 1)
	p.release("istio-proxy", syscall.SIGUSR2)
	p.until("app", "file:///vault/secrets/db is not ready yet", 1)
	if strings.Contains(p.log("app"), "app starts") {
		t.Error("the application has not waited for the secret")
	}
	p.until("vault-agent", "agent starts", 1)
	p.signal("vault-agent", syscall.SIGUSR1)
	p.until("app", "app starts", 1)
	p.says("app", "istio is ready", "file:///vault/secrets/db is ready", "mode=replace")
}
