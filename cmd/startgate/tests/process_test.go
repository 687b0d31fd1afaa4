package tests

// The runner: start starts every program of these tests, except those that a benchmark
// times itself.

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience is how long anything in these tests may take before it counts as stuck.
	patience = time.Minute
	// soon is how long what happens at once may take on a busy machine.
	soon = 5 * time.Second
)

// process is a program that a test has started: startgate, or what becomes it.
type process struct {
	testing.TB
	cmd      *exec.Cmd
	gate     int            // startgate's PID, when it is not that of cmd
	stdin    io.WriteCloser // unless cmd has one of its own
	out, log syncBuffer     // standard output and error, likewise
	began    time.Time
	took     time.Duration // until it exited
	exited   chan struct{}
}

// inPod is a variable that the kubelet sets in every container.
const inPod = "KUBERNETES_SERVICE_HOST=10.96.0.1"

// environ is the environment of a container with these settings, given without their
// prefix, and PATH.
func environ(settings ...string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), inPod}
	for _, setting := range settings {
		env = append(env, "STARTGATE_"+setting)
	}
	return env
}

// command is one that has these settings, given without their prefix, and no others.
func command(settings []string, argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = environ(settings...)
	return cmd
}

// start starts a command. Its standard streams are the process's, except those that
// are set. When the test ends, it is killed with all that it has started.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{TB: t, cmd: cmd, exited: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.log
	}
	if cmd.Stdin == nil {
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.stdin = stdin
	}
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = time.Second // for an orphan that keeps the pipes
	}
	p.began = time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		p.took = time.Since(p.began)
		close(p.exited)
	}()
	t.Cleanup(p.kill)
	return p
}

// startGate starts startgate with these settings, and no others, in front of a program.
func startGate(t testing.TB, settings []string, program ...string) *process {
	t.Helper()
	return start(t, command(settings, append([]string{binary, "--"}, program...)...))
}

// runToEnd starts a command and waits until it has exited.
func runToEnd(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := start(t, cmd)
	p.end()
	return p
}

// kill ends it and all that it has started, if it has not exited.
func (p *process) kill() {
	if !p.hasExited() {
		killTree(p, p.cmd.Process.Pid)
	}
	<-p.exited
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// String is what it has printed.
func (p *process) String() string {
	state := "still running"
	if p.hasExited() {
		state = p.cmd.ProcessState.String()
	}
	return fmt.Sprintf("%q: %s\n%s%s", p.cmd.Args, state, &p.out, &p.log)
}

// Errorf also shows what it has printed.
func (p *process) Errorf(format string, args ...any) {
	p.Helper()
	p.TB.Errorf(format+"\n%s", append(args, p)...)
}

// Fatalf also shows what it has printed.
func (p *process) Fatalf(format string, args ...any) {
	p.Helper()
	p.TB.Fatalf(format+"\n%s", append(args, p)...)
}

// pid is startgate's.
func (p *process) pid() int {
	if p.gate != 0 {
		return p.gate
	}
	return p.cmd.Process.Pid
}

// send sends startgate a signal.
func (p *process) send(sig syscall.Signal) {
	p.Helper()
	if err := syscall.Kill(p.pid(), sig); err != nil {
		p.Fatalf("cannot send %v: %v", sig, err)
	}
}

// say writes a line to its standard input.
func (p *process) say(line string) {
	p.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.Fatalf("%v", err)
	}
}

// untilOut waits until its output has this text.
func (p *process) untilOut(text string) {
	p.Helper()
	p.until(&p.out, text)
}

// untilLog waits until its standard error has this text.
func (p *process) untilLog(text string) {
	p.Helper()
	p.until(&p.log, text)
}

func (p *process) until(printed *syncBuffer, text string) {
	p.Helper()
	eventually(p, fmt.Sprintf("%q", text), func() bool {
		exited := p.hasExited() // and whatever it had to say is there
		if strings.Contains(printed.String(), text) {
			return true
		}
		if exited {
			p.Fatalf("exited without %q", text)
		}
		return false
	})
}

// end waits until it has exited.
func (p *process) end() syscall.WaitStatus {
	p.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.Errorf("did not exit in %v", patience)
		p.kill()
	}
	return p.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// code waits until it has exited, and returns the exit code; -1 if a signal ended it.
func (p *process) code() int {
	p.Helper()
	return p.end().ExitStatus()
}

// ends waits until it has exited, and checks the exit code.
func (p *process) ends(want int) {
	p.Helper()
	if code := p.code(); code != want {
		p.Errorf("exit code is %d, want %d", code, want)
	}
}

// outHas checks that the output has this text.
func (p *process) outHas(text string) {
	p.Helper()
	if !strings.Contains(p.out.String(), text) {
		p.Errorf("the output is not %q", text)
	}
}

// logHas checks that the log has these texts.
func (p *process) logHas(texts ...string) {
	p.Helper()
	for _, text := range texts {
		if !strings.Contains(p.log.String(), text) {
			p.Errorf("the log does not say %q", text)
		}
	}
}

// logHasNot checks that the log has none of these texts.
func (p *process) logHasNot(texts ...string) {
	p.Helper()
	for _, text := range texts {
		if strings.Contains(p.log.String(), text) {
			p.Errorf("the log says %q", text)
		}
	}
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(500 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// syncBuffer is text that can be read while it is written.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// childrenOf returns the PIDs of the children of a process.
func childrenOf(t testing.TB, pid int) []int {
	t.Helper()
	lists, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var children []int
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			children = append(children, child)
		}
	}
	return children
}

// killTree kills a process, if it is there, and all that it has started.
func killTree(t testing.TB, pid int) {
	children := childrenOf(t, pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for _, child := range children {
		killTree(t, child)
	}
}
