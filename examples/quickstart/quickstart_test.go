package main

// The quickstart as a user sees it: the story it prints, and that nothing remains of it,
// also when a signal ends it.

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the quickstart, built once for all tests.
var binary string

func TestMain(m *testing.M) {
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

func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), binary, args...), temp: t.TempDir()}
	p.Dir = dir
	p.Env = append(os.Environ(), "TMPDIR="+p.temp, "STARTGATE_TIMEOUT=left over in the shell")
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

func TestStory(t *testing.T) {
	began := time.Now()
	p := start(t, ".")
	for _, line := range []string{
		`s  sidecar     is being started, and nothing listens`,
		`s  kubelet     \$ \./app --redis 127\.0\.0\.1:\d+$`,
		`s  application cannot reach Redis: dial tcp .*: connection refused$`,
		`s  kubelet     process \d+ ended: exit status 1$`,
		`s  kubelet     \$ STARTGATE_WAIT_FOR=http://localhost:\d+/healthz/ready \./startgate -- \./app --redis`,
		`s  startgate   waiting for http://localhost:\d+/healthz/ready`,
		`s  startgate   .*: connection refused`,
		`s  sidecar     listens, and answers 503`,
		`s  startgate   .*: status 503`,
		`s  sidecar     is ready`,
		`s  startgate   .* is ready`,
		`s  startgate   starting \./app`,
		`s  application starts as process \d+$`,
		`s  application asked Redis PING, and the answer is \+PONG$`,
		`s  kubelet     process \d+ ended: exit status 0$`,
		`^Without startgate the application failed\.`,
		`localhost:15020/healthz/ready by itself`,
	} {
		p.readUntil(t, line)
	}
	p.checkEnd(t, 0)
	t.Logf("took %v", time.Since(began))

	pid := regexp.MustCompile(`process (\d+)`).FindAllStringSubmatch(p.String(), -1)
	if len(pid) != 4 || pid[0][1] != pid[1][1] || pid[2][1] != pid[3][1] {
		t.Errorf("the application is not in the process that was started: %v", pid)
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
