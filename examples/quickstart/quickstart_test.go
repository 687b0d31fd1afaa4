package main

// The quickstart as a user sees it: the story it prints, and that nothing remains of it,
// also when a signal ends it.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// binary is the quickstart, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv(envTake) != "" {
		os.Exit(besideAnother(os.Args[1:]))
	}
	unignore(syscall.SIGINT, syscall.SIGHUP)
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "quickstart-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "quickstart")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	return m.Run()
}

// unignore makes the programs that the tests start find these signals at their default,
// even where they are ignored, as under nohup. In this process they remain without effect.
func unignore(signals ...os.Signal) {
	for _, s := range signals {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// process is a quickstart that runs. It has its own process group, and its own directory
// for temporary files.
type process struct {
	*exec.Cmd
	pipe   io.Closer
	output *bufio.Scanner
	lines  []string // read so far
	temp   string
}

// ownNetwork returns the command that runs another in a network of its own, in which every
// port is free and nobody else wants one. It returns nil where that takes more than this
// user has.
func ownNetwork() []string {
	wrapper := []string{"unshare", "--net", "sh", "-c", `ip link set lo up && exec "$@"`, "sh"}
	if exec.Command(wrapper[0], append(wrapper[1:], "true")...).Run() != nil {
		return nil
	}
	return wrapper
}

// start starts the quickstart in a folder.
func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return startWith(t, dir, append(append(ownNetwork(), binary), args...))
}

func startWith(t *testing.T, dir string, argv []string, env ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), argv[0], argv[1:]...), temp: t.TempDir()}
	p.Dir = dir
	p.Env = append(append(os.Environ(), env...), "TMPDIR="+p.temp, "STARTGATE_TIMEOUT=left over in the shell")
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stderr = p.Stdout
	p.pipe, p.output = stdout, bufio.NewScanner(stdout)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
			_ = p.Wait()
		}
	})
	return p
}

// readUntil reads lines until one matches.
func (p *process) readUntil(t *testing.T, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for p.output.Scan() {
		p.lines = append(p.lines, p.output.Text())
		if re.MatchString(p.output.Text()) {
			return
		}
	}
	t.Fatalf("no line matches %q:\n%s", pattern, p)
}

// checkEnd reads the rest of the output, and checks the exit code and that no process and
// no file is left.
func (p *process) checkEnd(t *testing.T, code int) {
	t.Helper()
	for p.output.Scan() {
		p.lines = append(p.lines, p.output.Text())
	}
	_ = p.Wait()
	if got := p.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d:\n%s", got, code, p)
	}
	if err := syscall.Kill(-p.Process.Pid, 0); err != syscall.ESRCH {
		t.Errorf("a process is left: signal 0 to the group: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(p.temp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v %v", left, err)
	}
}

func (p *process) String() string { return strings.Join(p.lines, "\n") }

// story returns the lines that the quickstart prints in their order, if startgate has these
// settings and waits for this target.
func story(settings, target string) []string {
	return []string{
		`s  sidecar     is being started, and nothing listens`,
		`s  kubelet     \$ \./app --redis 127\.0\.0\.1:\d+$`,
		`s  application cannot reach Redis: dial tcp .*: connection refused$`,
		`s  kubelet     process \d+ ended: exit status 1$`,
		`s  kubelet     \$ ` + settings + `\./startgate -- \./app --redis`,
		`s  startgate   waiting for ` + target,
		`s  startgate   .*: connection refused`,
		`s  sidecar     listens, and answers 503`,
		`s  startgate   .*: status 503`,
		`s  sidecar     is ready`,
		`s  startgate   .*is ready`,
		`s  startgate   starting \./app`,
		`s  application starts as process \d+$`,
		`s  application asked Redis PING, and the answer is \+PONG$`,
		`s  kubelet     process \d+ ended: exit status 0$`,
		`^With startgate it started \d+ ms after`,
	}
}

// The story with Istio's ports, and no setting. Where the test cannot have a network of its
// own, another program may have the ports.
func TestStory(t *testing.T) {
	t.Parallel()
	own := ownNetwork()
	p := start(t, ".")
	settings, target := ``, `istio`
	if own == nil {
		settings, target = `(?:STARTGATE_WAIT_FOR=\S+ )?`, `(?:istio|http://\S+)`
	}
	p.checkStory(t, story(settings, target))
	if own == nil {
		return
	}
	if strings.Contains(p.String(), "Another program") {
		t.Errorf("it says that the ports are taken:\n%s", p)
	}
	p.checkREADME(t)
}

// checkREADME checks that the first page shows lines that are printed, in their order. Only
// the numbers may be others.
func (p *process) checkREADME(t *testing.T) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "go run ./examples/quickstart\n")
	_, block, _ = strings.Cut(block, "```text\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("README.md does not show what the quickstart prints")
	}
	anyNumber := func(text string) string { return regexp.MustCompile(` *\d+`).ReplaceAllString(text, " 0") }
	printed := anyNumber(p.String())
	for line := range strings.Lines(block) {
		line, _, _ = strings.Cut(anyNumber(line), "…")
		_, after, found := strings.Cut(printed, line)
		if !found {
			t.Errorf("README.md has %q, which is not printed, or not there:\n%s", line, p)
		}
		printed = after
	}
}

// Where another program has one of Istio's ports, the story is that of a URL.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	p := startWith(t, ".", append(ownNetwork(), os.Args[0], binary), envTake+"=1")
	p.readUntil(t, `^Another program on this machine has Istio's port 15020 or 15021\.`)
	p.checkStory(t, story(`STARTGATE_WAIT_FOR=http://localhost:\d+/healthz/ready `, `http://localhost:\d+/healthz/ready`))
}

// envTake makes this test a program that has Istio's port, and runs another beside it.
const envTake = "QUICKSTART_TEST_TAKES_PORT"

func besideAnother(argv []string) (code int) {
	if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", agentPort)); err == nil {
		defer listener.Close() // else yet another program has it
	}
	os.Unsetenv(envTake)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// Of two programs at most one can have a port, also while it does not listen.
func TestHold(t *testing.T) {
	t.Parallel()
	one, err := hold(0)
	if err != nil {
		t.Fatal(err)
	}
	defer one.release()
	if two, err := hold(one.number); err == nil {
		two.release()
		t.Errorf("port %d was taken twice", one.number)
	}
	if listener, err := net.Listen("tcp", one.addr()); err == nil {
		listener.Close()
		t.Errorf("another program can listen on port %d", one.number)
	}
	if _, err := net.Dial("tcp", one.addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("before it listens: %v, want connection refused", err)
	}
	listener, err := one.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", one.addr())
	if err != nil {
		t.Fatalf("when it listens: %v", err)
	}
	defer conn.Close()

	// The next quickstart must get it at once.
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	noTimeWait(accepted)
	accepted.Close()
	listener.Close()
	again, err := hold(one.number)
	if err != nil {
		t.Fatalf("after it was closed: %v", err)
	}
	again.release()
}

// checkStory reads these lines and the end.
func (p *process) checkStory(t *testing.T, lines []string) {
	t.Helper()
	for _, line := range lines {
		p.readUntil(t, line)
	}
	p.readUntil(t, `localhost:15020/healthz/ready`)
	p.readUntil(t, `examples/incident/README\.md$`)
	p.checkEnd(t, 0)
	if _, err := os.Stat("../incident/README.md"); err != nil {
		t.Errorf("what it names is not there: %v", err)
	}

	pid := regexp.MustCompile(`process (\d+)`).FindAllStringSubmatch(p.String(), -1)
	if len(pid) != 4 || pid[0][1] != pid[1][1] || pid[2][1] != pid[3][1] {
		t.Errorf("the application is not in the process that was started: %v", pid)
	}
	p.checkGap(t)
}

// checkGap compares the gap that is printed with the times on the timeline.
func (p *process) checkGap(t *testing.T) {
	t.Helper()
	find := func(pattern string) int {
		match := regexp.MustCompile(pattern).FindStringSubmatch(p.String())
		if match == nil {
			t.Fatalf("no %q in\n%s", pattern, p)
		}
		n, err := strconv.Atoi(match[1] + strings.Join(match[2:], ""))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	ready := find(`(\d+)\.(\d{3})s  sidecar     is ready`)
	started := find(`(?s)sidecar     is ready.*?(\d+)\.(\d{3})s  application starts`)
	if gap := find(`it started (\d+) ms after`); gap < started-ready-1 || gap > started-ready+1 {
		t.Errorf("it prints a gap of %d ms, and the timeline has %d:\n%s", gap, started-ready, p)
	}
}

func TestStoppedBySignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t, ".")
			p.readUntil(t, "startgate   waiting for")
			// Only to the quickstart, not to its group as a terminal does: it has to stop what
			// it has started.
			if err := p.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			p.readUntil(t, "^quickstart stopped: "+sig.String()+" signal received")
			p.checkEnd(t, 1)
		})
	}
}

func TestOutputClosed(t *testing.T) {
	p := start(t, ".")
	p.readUntil(t, "startgate   waiting for")
	if err := p.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	p.checkEnd(t, -1) // SIGPIPE ends it when it reports the error, after it has cleaned up
}

func TestOutsideClone(t *testing.T) {
	p := start(t, t.TempDir())
	p.readUntil(t, "^cannot build startgate")
	p.checkEnd(t, 1)
}

func TestUnknownArguments(t *testing.T) {
	p := start(t, ".", "--help")
	p.readUntil(t, "^cannot use the arguments .*: write go run ./examples/quickstart$")
	p.checkEnd(t, 1)
}
