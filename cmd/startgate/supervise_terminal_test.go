//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// screen is a pseudo-terminal and what was written to it.
type screen struct {
	testing.TB
	master *os.File
	text   journal
}

// What a person types.
const (
	ctrlC = "\x03"
	ctrlZ = "\x1a"
)

// onScreen starts a command as the leader of a session with a terminal of its own,
// as a container with tty: true, or a login shell.
func onScreen(t *testing.T, argv ...string) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "STARTGATE_WAIT_FOR=none", "STARTGATE_SUPERVISE=true", "STARTGATE_LOG_LEVEL=error", "PS1=$ ", "TERM=dumb"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &screen{TB: t, master: master}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			_, _ = s.text.Write(buffer[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		master.Close()
	})
	return s
}

func (s *screen) types(text string) {
	s.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.Fatal(err)
	}
}

// shows waits until text has been written this often.
func (s *screen) shows(text string, times int) {
	s.Helper()
	defer func() {
		if s.Failed() {
			s.Logf("the screen has\n%q", s.text.String())
		}
	}()
	until(s, fmt.Sprintf("%q %d times on the screen", text, times), func() bool { return strings.Count(s.text.String(), text) >= times })
}

// counting is an application that tells what the terminal sends it. It starts no
// process: one that is stopped between vfork and execve holds its parent, which then
// cannot be stopped, and so not be seen to be.
const counting = `trap 'echo got-INT' INT; trap 'echo got-WINCH' WINCH; echo is-up; while :; do read -r line && echo "line-$line"; done`

// S10, as a container with a terminal: nobody could continue what Ctrl-Z stops.
func TestSuperviseOnATerminal(t *testing.T) {
	s := onScreen(t, binary, "--", "sh", "-c", counting)
	s.shows("is-up", 1)
	s.types(ctrlC)
	s.shows("got-INT", 1)
	size := unix.Winsize{Row: 33, Col: 99}
	if err := unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &size); err != nil {
		t.Fatal(err)
	}
	s.shows("got-WINCH", 1)
	s.types(ctrlZ)
	s.shows("^Z", 1)
	s.types("one\n")
	s.shows("line-one", 1)
	s.types(ctrlC)
	s.shows("got-INT", 2)
	s.types("two\n")
	s.shows("line-two", 1)
	if text := s.text.String(); strings.Count(text, "got-INT") != 2 || strings.Count(text, "got-WINCH") != 1 {
		t.Errorf("Ctrl-C was typed twice and the size changed once; the screen has\n%s", text)
	}
}

// S10, as a job of a shell: Ctrl-Z stops it, and fg continues it; in a pipeline the
// application can read; and the shell has the terminal again.
func TestSuperviseAsAJob(t *testing.T) {
	need(t, "bash")
	s := onScreen(t, "bash", "--norc", "-i")
	s.shows("$ ", 1)
	s.types("stty tostop; " + binary + " -- sh -c 'echo is-up; exec cat'\n")
	s.shows("is-up\r\n", 1)
	s.types("one\n")
	s.shows("one\r\n", 2) // echoed, and by cat
	s.types(ctrlZ)
	s.shows("Stopped", 1)
	s.types("fg\n")
	s.shows("fg\r\n", 1)
	s.types("two\n")
	s.shows("two\r\n", 2)
	s.types(ctrlC)
	s.shows("^C", 1)
	s.shows("$ ", 3)
	s.types("echo code-$?\n")
	s.shows("code-130\r\n", 1)
	s.types(binary + " -- sh -c 'echo is-up; exec cat' | cat\n")
	s.shows("is-up\r\n", 2)
	s.types("three\n")
	s.shows("three\r\n", 2)
	s.types("\x04") // the end of the input
	s.shows("$ ", 5)
	s.types("echo code-$?-again\n")
	s.shows("code-0-again\r\n", 1)
}
