//go:build linux

package tests

// The terminal at which startgate and shells are started.

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal, and what a user does at it.
type terminal struct {
	*process // the leader of its session; its output is the screen
	master   *os.File
	seen     int // how much of the screen has been looked at
}

// The keys that send a signal.
const (
	ctrlC         = "\x03"
	ctrlZ         = "\x1a"
	ctrlBackslash = "\x1c"
)

// newTerminal starts a program on a terminal of its own. It is in an environment
// in which startgate supervises.
func newTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(unlock(t, master)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	cmd.Env = append(slices.Clone(superviseEnv), "PS1=$ ", "TERM=dumb", "HOME=/nowhere", "startgate="+binary, "app="+program(t, "supervised"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	t.Cleanup(func() { master.Close() })
	s := &terminal{process: start(t, cmd), master: master}
	go io.Copy(&s.out, master)
	return s
}

// unlock makes the other end of a pseudo-terminal usable, and returns its number.
func unlock(t testing.TB, master *os.File) (number int) {
	t.Helper()
	control(t, master, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
		number = n
		return err
	})
	return number
}

// control calls f with a file's descriptor, without making it block.
func control(t testing.TB, f *os.File, call func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err2 := raw.Control(func(fd uintptr) { err = call(int(fd)) })
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
}

// atShell starts an interactive shell on a terminal.
func atShell(t *testing.T, argv ...string) *terminal {
	t.Helper()
	need(t, argv[0])
	s := newTerminal(t, exec.Command(argv[0], argv[1:]...))
	s.shows("$ ")
	return s
}

// types writes to the terminal.
func (s *terminal) types(text string) {
	s.Helper()
	if _, err := io.WriteString(s.master, text); err != nil {
		s.Fatalf("%v", err)
	}
}

// shows waits until the screen shows this after what has been looked at.
func (s *terminal) shows(text string) {
	s.Helper()
	at := -1
	eventually(s, fmt.Sprintf("%q", text), func() bool {
		at = strings.Index(s.out.String()[s.seen:], text)
		return at >= 0
	})
	s.seen += at + len(text)
}

// has checks how often the screen shows this text in all.
func (s *terminal) has(text string, times int) {
	s.Helper()
	if got := strings.Count(s.out.String(), text); got != times {
		s.Errorf("the screen shows %q %d times, want %d", text, got, times)
	}
}

// resizes changes the size of the window.
func (s *terminal) resizes(rows uint16) {
	s.Helper()
	control(s, s.master, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: 80})
	})
}

// belongsTo waits until one of these groups is in the foreground.
func (s *terminal) belongsTo(groups ...int) {
	s.Helper()
	eventually(s, fmt.Sprintf("one of the groups %d to be in the foreground", groups), func() bool {
		var now uint32
		control(s, s.master, func(fd int) (err error) {
			now, err = unix.IoctlGetUint32(fd, unix.TIOCGPGRP)
			return err
		})
		return slices.Contains(groups, int(now))
	})
}

// ready waits until the application is, and returns its PID and startgate's.
func (s *terminal) ready(where string) (app, gate int) {
	s.Helper()
	s.shows("pid ")
	s.shows(" is ready, in the " + where)
	text := s.out.String()[:s.seen]
	if _, err := fmt.Sscanf(text[strings.LastIndex(text, "pid "):], "pid %d is", &app); err != nil {
		s.Fatalf("%v", err)
	}
	return app, parentOf(app)
}

// are waits until the processes are in this state.
func (s *terminal) are(state string, pids ...int) {
	s.Helper()
	for _, pid := range pids {
		eventually(s, fmt.Sprintf("process %d to be in state %s", pid, state), func() bool { return stateOf(pid) == state })
	}
}

// stopped waits until the shell knows that its job is stopped.
func (s *terminal) stopped() {
	s.Helper()
	for number := 0; ; number++ {
		from := s.seen
		s.types(fmt.Sprintf("jobs; echo $((%d+0)) asked\n", number))
		s.shows(fmt.Sprintf("\n%d asked", number))
		if strings.Contains(s.out.String()[from:s.seen], "topped") {
			return
		}
		if number > 1000 {
			s.Fatalf("the shell does not know that its job is stopped")
		}
	}
}
