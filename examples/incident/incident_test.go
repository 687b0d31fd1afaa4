// Package incident plays the incident that startgate is made against, and its cure,
// with real parts: see README.md. run.sh is what happens, and the test looks at the
// log that it prints, as an operator would.
package incident

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is startgate as users have it.
var binary string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "incident")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "startgate")
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", binary, "../../cmd/startgate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	return m.Run()
}

// need skips a test on a machine that cannot run run.sh. With NOSKIP=1, as in CI, it
// fails instead.
func need(t testing.TB) {
	t.Helper()
	cmd := exec.Command("./run.sh", "--check")
	switch out, err := cmd.CombinedOutput(); {
	case err == nil:
	case os.Getenv("NOSKIP") != "":
		t.Fatalf("%s%v", out, err)
	default:
		t.Skipf("%s%v", out, err)
	}
}

// Who writes the log.
const (
	app       = "pod/shop/app"
	proxy     = "pod/shop/istio-proxy"
	agentInit = "pod/shop/vault-agent-init"
	agent     = "pod/shop/vault-agent"
	vault     = "vault.example"
	kubelet   = "event"
	client    = "client"
)

// refused is how README.md finds the incident in a pod's log.
const refused = `(?i)connection refused|ECONNREFUSED`

// Without startgate the application fails before the proxy is there, again and again,
// and comes up long after the proxy.
func TestWithoutStartgate(t *testing.T) {
	need(t)
	t.Parallel()
	l := play(t, "without-startgate")
	l.inOrder(
		l.first(app, "Redis: .*10.20.0.2:6379: Connection refused"),
		l.some(3, kubelet, "Readiness probe failed: HTTP probe failed with statuscode: 503")[0],
		l.ready(),
		l.first(client, "the shop is open"),
	)
	l.inOrder(
		l.first(app, "PostgreSQL: .*10.20.0.3.* Connection refused"),
		l.notReady(), // after the first refused connection: so README.md tells this incident from others
		l.first(app, "Redis answers: 1$"),
		l.first(app, "PostgreSQL answers: "),
		l.first(app, "the application serves"),
	)
	l.first(app, refused)
	if starts, fails := len(l.some(3, app, "the application starts")), len(l.all(kubelet, "BackOff: .* app")); starts != fails+1 {
		t.Errorf("%d starts and %d failures", starts, fails)
	}
	throughProxy(l)
}

// With it the application starts once, when the proxy is ready, and nothing fails.
func TestWithStartgate(t *testing.T) {
	need(t)
	t.Parallel()
	l := play(t, "with-startgate")
	l.inOrder(
		l.first(app, `msg="waiting for istio"`),
		l.some(3, kubelet, "Readiness probe failed: HTTP probe failed with statuscode: 503")[0],
		l.ready(),
		l.first(app, "the application starts"),
	)
	cured(l)
}

// Vault's init container waits for the proxy, and the proxy for it.
func TestVault(t *testing.T) {
	need(t)
	t.Parallel()
	l := play(t, "vault")
	l.some(5, agentInit, "10.20.0.4.*Connection refused")
	l.first(kubelet, "still Init:1/2")
	l.none(agentInit, "rendered")
	for _, who := range []string{app, proxy, vault} {
		l.none(who, "")
	}
}

// Either exclusion lets the agent through, and past the proxy for ever.
func TestVaultExcluded(t *testing.T) {
	need(t)
	t.Parallel()
	for _, scenario := range []string{"vault-excluded-by-pod", "vault-excluded-by-mesh"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			l := play(t, scenario)
			l.inOrder(
				l.first(agentInit, "rendered"),
				l.first(kubelet, "Started: container istio-proxy"),
				l.ready(),
				l.first(agent, "rendered"),
			)
			l.none(agentInit, refused)
			l.none(agent, refused)
			l.first(vault, "GET .* from 10.244.0.5: 200")
			l.none(proxy, "10.20.0.4")
			cured(l)
		})
	}
}

// Without an exclusion the agent gets through when the proxy is ready, and the
// application starts when the agent has been.
func TestVaultWithStartgate(t *testing.T) {
	need(t)
	t.Parallel()
	l := play(t, "vault-with-startgate")
	l.inOrder(l.first(agent, refused), l.first(vault, "GET .* from 10.244.0.5: 200"))
	l.first(proxy, "outbound 10.20.0.4:8200")
	l.inOrder(
		l.first(app, `msg="waiting for istio"`),
		l.ready(),
		l.first(app, `msg="waiting for file:///`),
		l.first(app, `msg="file:///.* is ready"`),
		l.first(app, "the application starts"),
	)
	l.first(agent, "rendered")
	cured(l)
}

// cured checks that the application started once, when the proxy was ready and soon
// after, and that nothing failed.
func cured(l *timeline) {
	l.Helper()
	started := l.first(app, "the application starts")
	l.inOrder(l.ready(), started, l.first(app, "Redis answers: 1$"), l.first(app, "PostgreSQL answers: "),
		l.first(app, "the application serves"), l.first(client, "the shop is open"))
	if len(l.all(app, "the application starts")) != 1 {
		l.Error("the application started more than once")
	}
	if late := started.at.Sub(l.ready().at); late > 2*time.Second {
		l.Errorf("the application started %v after the proxy", late)
	}
	l.none(kubelet, "BackOff")
	for _, line := range l.all(app, refused) {
		if !strings.HasPrefix(line.text, "time=") { // not startgate's own
			l.Errorf("the application says: %s", line.text)
		}
	}
	throughProxy(l)
}

// throughProxy checks that the pod's traffic went through the proxy, in and out.
func throughProxy(l *timeline) {
	l.Helper()
	for _, pattern := range []string{"outbound 10.20.0.2:6379", "outbound 10.20.0.3:5432", "inbound 10.244.0.5:8080"} {
		l.inOrder(l.notReady(), l.first(proxy, pattern))
	}
}

// However run.sh ends, nothing remains of it.
func TestEnded(t *testing.T) {
	need(t)
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "./run.sh", "with-startgate")
			cmd.Env = append(os.Environ(), "STARTGATE="+binary)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			until(t, stdout, "Envoy proxy is NOT ready")
			inside := processes(t, cmd.Process.Pid)
			if len(inside()) < 10 { // servers, proxy, startgate, and what starts and stamps them
				t.Errorf("processes in there: %v", inside())
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			for deadline := time.Now().Add(10 * time.Second); len(inside()) > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("there remain %v", inside())
				}
			}
		})
	}
}

// until reads the log until it has this text.
func until(t testing.TB, log io.Reader, text string) {
	t.Helper()
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the log never says %q: %v", text, lines.Err())
}

// processes returns a function that tells which processes are in the PID namespace
// that run.sh has made.
func processes(t testing.TB, run int) func() []string {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", run))
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Readlink("/proc/" + strings.TrimSpace(string(children)) + "/ns/pid_for_children")
	if err != nil {
		t.Fatal(err)
	}
	return func() (inside []string) {
		links, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
		for _, link := range links {
			if of, err := os.Readlink(link); err == nil && of == namespace {
				name, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "../comm"))
				inside = append(inside, strings.TrimSpace(string(name)))
			}
		}
		return inside
	}
}
