//go:build linux

package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// moments returns how often a test tries, n times TEST_MOMENTS.
func moments(t *testing.T, n int) int {
	t.Helper()
	text := os.Getenv("TEST_MOMENTS")
	if text == "" {
		return n
	}
	times, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("TEST_MOMENTS=%q: %v", text, err)
	}
	return n * times
}

// fate is what became of a signal.
type fate string

const (
	killed   fate = "ended startgate by its default effect"
	caughtIt fate = "ended the wait, 128+n"
	reached  fate = "reached the application"
	crashed  fate = "ended Go's runtime, code 2"
	lost     fate = "was lost"
)

// fateOf tells what became of a signal that was sent to the process that has
// ended so, with this standard output.
func fateOf(sig syscall.Signal, ended *os.ProcessState, stdout string) fate {
	status := ended.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled() && status.Signal() == sig:
		return killed
	case status.ExitStatus() == 128+int(sig):
		return caughtIt
	case status.ExitStatus() == 40 && strings.HasSuffix(stdout, "got "+strconv.Itoa(int(sig))+"\n"):
		return reached
	case status.ExitStatus() == 2:
		return crashed
	}
	return lost
}

// spin waits precisely: a timer is late by more than what is tested here.
func spin(d time.Duration) {
	if d > 2*time.Millisecond {
		time.Sleep(d - time.Millisecond)
		d = time.Millisecond
	}
	for began := time.Now(); time.Since(began) < d; {
	}
}

// R12, not PID 1: a signal at any moment of the start has an effect.
func TestNoSignalIsLost(t *testing.T) {
	s := newStage(t)
	ready := []string{"STARTGATE_WAIT_FOR=" + readyServer(t)}
	never := append(newGated(t).env(), "STARTGATE_TIMEOUT=1s")
	// From the start until the application is ready, at its slowest of five.
	var span time.Duration
	for range 5 {
		cmd := exec.CommandContext(t.Context(), binary, "--", s.recorder, "handle", "1")
		cmd.Env = ready
		began := time.Now()
		_ = cmd.Run()
		span = max(span, time.Since(began))
	}
	span = min(span, 20*time.Millisecond)
	for _, test := range []struct {
		name string
		env  []string
		sig  syscall.Signal
		n    int
	}{
		{"TERM, target ready", ready, unix.SIGTERM, 300},
		{"TERM, target never ready", never, unix.SIGTERM, 200},
		{"INT, target ready", ready, unix.SIGINT, 100},
		{"HUP, target ready", ready, unix.SIGHUP, 100},
		{"QUIT, target ready", ready, unix.SIGQUIT, 200},
		{"QUIT, target never ready", never, unix.SIGQUIT, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			count, n := map[fate]int{}, moments(t, test.n)
			for i := range n {
				after := span * time.Duration(i) / time.Duration(n)
				var stdout, stderr bytes.Buffer
				cmd := exec.CommandContext(t.Context(), binary, "--", s.recorder, "handle", "1500")
				cmd.Env, cmd.Stdout, cmd.Stderr = test.env, &stdout, &stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				spin(after)
				_ = cmd.Process.Signal(test.sig)
				_ = cmd.Wait()
				fate := fateOf(test.sig, cmd.ProcessState, stdout.String())
				count[fate]++
				if !permitted(test.sig, fate, stderr.String()) {
					t.Errorf("sent after %v: %s: %v\n%s%s", after, fate, cmd.ProcessState, &stdout, &stderr)
				}
				if count[lost] > 3 {
					t.Fatalf("of %d within %v: %v, and so on", i, span, count)
				}
			}
			t.Logf("of %d within %v: %v", n, span, count)
			if count[reached] == 0 && &test.env[0] == &ready[0] || count[caughtIt] == 0 {
				t.Errorf("the moments did not cover the start: %v", count)
			}
		})
	}
}

// permitted tells whether that may become of a signal to a process that is not
// PID 1. A QUIT makes Go's runtime print its stacks and end with 2 until an init
// function of package main has run: a limit, and no more than that.
func permitted(sig syscall.Signal, what fate, stderr string) bool {
	if what == crashed && sig == unix.SIGQUIT {
		return !strings.Contains(stderr, "main.main(") && !strings.Contains(stderr, "main.(*gate)")
	}
	return (what == killed || what == caughtIt || what == reached) && !strings.Contains(stderr, "goroutine ")
}

// R12 with the moment of the hand-over made long: strace holds execve back, before
// and after the kernel has done it. The moments leave out the end of the hold, in
// which the kernel ends the other threads: one that is traced may take the signal
// with it. Of one that is not traced, the kernel sees to it in complete_signal.
func TestNoSignalIsLostInExecve(t *testing.T) {
	need(t, "strace")
	s := newStage(t)
	const hold = 60 * time.Millisecond
	for _, where := range []string{"delay_enter", "delay_exit"} {
		strace := s.holds(where, hold)
		for _, sig := range theEnding {
			t.Run(where+" "+unix.SignalName(sig), func(t *testing.T) {
				count, n := map[fate]int{}, moments(t, 8)
				for i := range n {
					s, after := s.in(t), hold*time.Duration(i)/time.Duration(n)
					if i >= n/2 {
						after += hold
					}
					stdout := s.file("stdout", os.O_RDWR|os.O_TRUNC)
					cmd := s.command(start{
						as:      strace,
						program: []string{s.application(), "handle", "1500"},
						stdio:   [3]*os.File{1: stdout},
					}, binary, "--")
					log := s.starts(cmd)
					log.until(t, "starting")
					spin(after)
					for _, pid := range childrenOf(t, cmd.Process.Pid) {
						_ = syscall.Kill(pid, sig)
					}
					_ = cmd.Wait()
					text, err := os.ReadFile(stdout.Name())
					if err != nil {
						t.Fatal(err)
					}
					fate := fateOf(sig, cmd.ProcessState, string(text))
					count[fate]++
					if !permitted(sig, fate, log.String()) {
						t.Errorf("sent %v after the last line: %s: %v\n%s%s", after, fate, cmd.ProcessState, text, log)
					}
				}
				t.Logf("of %d within %v: %v", n, 2*hold, count)
				if count[reached] == 0 || count[killed]+count[caughtIt] <= n/4 {
					t.Errorf("the moments did not cover execve, or strace did not hold it back: %v", count)
				}
			})
		}
	}
}

// application is the recorder under a path of its own.
func (s *stage) application() string { return filepath.Join(s.dir, "application") }

// holds is strace holding back the execve of the application, and no other.
func (s *stage) holds(where string, hold time.Duration) []string {
	s.Helper()
	if err := os.Link(s.recorder, s.application()); err != nil && !os.IsExist(err) {
		s.Fatal(err)
	}
	return []string{
		"strace", "-f", "-qq", "-o", filepath.Join(s.dir, "strace"), "-P", s.application(), "-e", "trace=execve",
		"-e", "inject=execve:" + where + "=" + strconv.FormatInt(hold.Microseconds(), 10),
	}
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
