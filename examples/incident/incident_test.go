package incident

// The incident that startgate prevents, and its cure: the test runs each scenario of
// run.sh and reads the log that it prints, as an operator would.

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is startgate as users have it.
var binary string

func TestMain(m *testing.M) {
	unignore(syscall.SIGINT, syscall.SIGHUP)
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

// unignore makes the programs that the tests start find these signals at their default,
// even where they are ignored, as under nohup: a shell cannot stop ignoring them. In this
// process they remain without effect.
func unignore(signals ...os.Signal) {
	for _, s := range signals {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// needRunSh skips a test on a machine that cannot run run.sh. With NOSKIP=1, as in CI, the
// test fails instead.
func needRunSh(t testing.TB) {
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

// The names under which the parts write to the log.
const (
	app       = "pod/shop/app"
	proxy     = "pod/shop/istio-proxy"
	agentInit = "pod/shop/vault-agent-init"
	agent     = "pod/shop/vault-agent"
	vault     = "vault.example"
	kubelet   = "event"
	client    = "client"
)

// refused is the pattern by which README.md finds the incident in a pod's log.
const refused = `(?i)connection refused|ECONNREFUSED`

// Without startgate the application fails again and again before the proxy is ready, and
// serves long after the proxy is.
func TestWithoutStartgate(t *testing.T) {
	needRunSh(t)
	t.Parallel()
	l := runScenario(t, "without-startgate")
	l.inOrder(
		l.first(app, "Redis: .*10.20.0.2:6379: Connection refused"),
		l.some(3, kubelet, "Readiness probe failed: HTTP probe failed with statuscode: 503")[0],
		l.ready(), // after the first refused connection: so README.md distinguishes this incident from others
		l.first(client, "the shop is open"),
	)
	l.inOrder(
		l.first(app, "PostgreSQL: .*10.20.0.3.* Connection refused"),
		l.notReady(),
		l.first(app, "Redis answers: 1$"),
		l.first(app, "PostgreSQL answers: "),
		l.first(app, "the application serves"),
	)
	l.first(app, refused)
	if starts, fails := len(l.some(3, app, "the application starts")), len(l.all(kubelet, "BackOff: .* app")); starts != fails+1 {
		t.Errorf("%d starts and %d failures", starts, fails)
	}
	checkThroughProxy(l)
}

// With startgate the application starts once, when the proxy is ready, and nothing fails.
func TestWithStartgate(t *testing.T) {
	needRunSh(t)
	t.Parallel()
	l := runScenario(t, "with-startgate")
	l.inOrder(
		l.first(app, `event=waiting target=istio `),
		l.some(3, kubelet, "Readiness probe failed: HTTP probe failed with statuscode: 503")[0],
		l.ready(),
		l.first(app, "the application starts"),
	)
	checkRecord(l, "with-startgate")
	checkCured(l)
}

// Vault's init container waits for the proxy, and the proxy waits for Vault's init
// container.
func TestVaultDeadlock(t *testing.T) {
	needRunSh(t)
	t.Parallel()
	l := runScenario(t, "vault")
	l.some(5, agentInit, "10.20.0.4.*Connection refused")
	l.first(kubelet, "still Init:1/2")
	l.none(agentInit, "rendered")
	for _, who := range []string{app, proxy, vault} {
		l.none(who, "")
	}
}

// Either exclusion lets the agent reach Vault, and bypass the proxy for ever.
func TestVaultExcludedFromRedirect(t *testing.T) {
	needRunSh(t)
	t.Parallel()
	for _, scenario := range []string{"vault-excluded-by-pod", "vault-excluded-by-mesh"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			l := runScenario(t, scenario)
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
			checkCured(l)
		})
	}
}

// Without an exclusion the agent reaches Vault when the proxy is ready, and the application
// starts when the agent has written its file.
func TestVaultWithStartgate(t *testing.T) {
	needRunSh(t)
	t.Parallel()
	l := runScenario(t, "vault-with-startgate")
	l.inOrder(l.first(agent, refused), l.first(vault, "GET .* from 10.244.0.5: 200"))
	l.first(proxy, "outbound 10.20.0.4:8200")
	l.inOrder(
		l.first(app, `event=waiting target=istio `),
		l.ready(),
		l.first(app, `event=waiting target=file:///`),
		l.first(app, `event=ready target=file:///`),
		l.first(app, "the application starts"),
	)
	l.first(agent, "rendered")
	checkCured(l)
}

// checkCured checks that the application started once, soon after the proxy was ready, and
// that nothing failed.
func checkCured(l *timeline) {
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
		if !strings.Contains(line.text, "logger=startgate") { // which README.md leaves out
			l.Errorf("the application says: %s", line.text)
		}
	}
	checkThroughProxy(l)
}

// checkThroughProxy checks that the pod's traffic went through the proxy in both
// directions.
func checkThroughProxy(l *timeline) {
	l.Helper()
	for _, pattern := range []string{"outbound 10.20.0.2:6379", "outbound 10.20.0.3:5432", "inbound 10.244.0.5:8080"} {
		l.inOrder(l.notReady(), l.first(proxy, pattern))
	}
}

// Whatever ends run.sh, nothing remains of it: no process, and no file in /dev/shm.
func TestNothingRemains(t *testing.T) {
	needRunSh(t)
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
			readUntil(t, stdout, "Envoy proxy is NOT ready")
			inside := processes(t, cmd.Process.Pid)
			if len(inside()) < 10 { // servers, proxy, startgate, and what starts and stamps them
				t.Errorf("processes in there: %v", inside())
			}
			shared := sharedMemory(t, cmd.Process.Pid)
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != signal {
				t.Errorf("run.sh: %v, want %v", cmd.ProcessState, signal)
			}
			for deadline := time.Now().Add(time.Minute); len(inside()) > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("these remain: %v", inside())
				}
			}
			for _, name := range shared {
				if _, err := os.Stat("/dev/shm/" + name); err == nil {
					t.Errorf("/dev/shm/%s remains", name)
				}
			}
		})
	}
}

// readUntil reads the log until it has this text.
func readUntil(t testing.TB, log io.Reader, text string) {
	t.Helper()
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the log never has %q: %v", text, lines.Err())
}

// onlyChild returns the one process that run.sh has started.
func onlyChild(t testing.TB, run int) string {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", run))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(children))
}

// processes returns a function that lists the processes in the PID namespace that run.sh
// has made.
func processes(t testing.TB, run int) func() []string {
	t.Helper()
	namespace, err := os.Readlink("/proc/" + onlyChild(t, run) + "/ns/pid_for_children")
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

// sharedMemory returns the files that PostgreSQL has in the /dev/shm of run.sh's processes,
// and checks that their System V shared memory is not the machine's.
func sharedMemory(t testing.TB, run int) (files []string) {
	t.Helper()
	child := "/proc/" + onlyChild(t, run)
	paths, err := filepath.Glob(child + "/root/dev/shm/PostgreSQL.*")
	if err != nil || len(paths) == 0 {
		t.Errorf("PostgreSQL has no file in /dev/shm: %v", err)
	}
	for _, path := range paths {
		files = append(files, filepath.Base(path))
	}
	theirs, theirErr := os.Readlink(child + "/ns/ipc")
	ours, ourErr := os.Readlink("/proc/self/ns/ipc")
	if theirErr != nil || ourErr != nil || theirs == ours {
		t.Errorf("IPC namespaces are %s and %s (%v, %v), want two", theirs, ours, theirErr, ourErr)
	}
	return files
}
