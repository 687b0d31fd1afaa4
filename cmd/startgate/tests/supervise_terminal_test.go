//go:build linux

package tests

// S10: supervising on a terminal.

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// shells are interactive shells with job control. They differ in what fg does: dash
// sends CONT to a job in any case, bash only to one that is stopped.
var shells = [][]string{{"bash", "--norc", "--noprofile", "--noediting", "-i"}, {"dash", "-i"}}

// inShells tests in each shell.
func inShells(t *testing.T, test func(*terminal)) {
	for _, argv := range shells {
		t.Run(argv[0], func(t *testing.T) { test(atShell(t, argv...)) })
	}
}

// S10: as a job of a shell.
func TestTerminal(t *testing.T) {
	inShells(t, func(s *terminal) { s.asJob("$startgate $app terminal") })
}

// streamsElsewhere is a job whose standard streams are not the terminal.
const streamsElsewhere = "$startgate sh -c 'exec $app terminal <>/dev/tty >&0 2>&0' </dev/null >/dev/null 2>&1"

// S10: as a job whose standard streams are no terminal. Ctrl-Z once stopped the
// application alone, and reading from /dev/tty stopped it for good.
func TestTerminalWithStreamsElsewhere(t *testing.T) {
	inShells(t, func(s *terminal) { s.asJob(streamsElsewhere) })
}

// S10: where signals go to the application's group, what is typed comes to it once too.
func TestTerminalOfGroup(t *testing.T) {
	inShells(t, func(s *terminal) { s.asJob("STARTGATE_SUPERVISE=group $startgate $app terminal") })
}

// asJob tests the job that this command line starts.
func (s *terminal) asJob(command string) {
	s.Helper()
	s.types(command + "\n")
	app, gate := s.ready("foreground")
	s.types("hello\n")
	s.shows("read hello")
	s.types(ctrlC)
	s.shows("signal 2 code 128") // SI_KERNEL: by the terminal
	s.types(ctrlBackslash)
	s.shows("signal 3 code 128")
	s.resizes(50)
	s.shows("signal 28 code 128")
	if err := syscall.Kill(gate, unix.SIGUSR1); err != nil {
		s.Fatalf("%v", err)
	}
	s.shows("signal 10 code 0") // and nothing else is on its way

	s.types(ctrlZ)
	s.are("T", app, gate)
	s.types("fg\n")
	s.shows("signal 18")
	s.are("S", app, gate)
	s.types("again\n")
	s.shows("read again")
	s.has("signal 18", 1)

	s.types("exit 7\n")
	s.types("echo code $?\n")
	s.shows("code 7")
	for _, once := range []string{"signal 2 ", "signal 3 ", "signal 10 ", "signal 28 "} {
		s.has(once, 1)
	}
}

// S10: as a background job, which stops when it wants to read.
func TestTerminalInBackground(t *testing.T) {
	for _, command := range []string{"$startgate $app terminal", streamsElsewhere} {
		inShells(t, func(s *terminal) { s.inBackground(command) })
	}
}

// inBackground tests the job that this command line starts with an & after it.
func (s *terminal) inBackground(command string) {
	s.Helper()
	s.types(command + " &\n")
	app, gate := s.ready("background")
	s.are("T", app, gate)
	s.stopped()
	s.types("fg\n")
	s.types("hello\n")
	s.shows("read hello")
	s.types(ctrlZ)
	s.are("T", app, gate)
	s.stopped()
	s.types("bg\n")
	s.are("T", app, gate) // it reads again
	s.stopped()
	s.types("fg\n")
	s.types("again\n")
	s.shows("read again")
	s.types(ctrlC)
	s.shows("signal 2 ")
	s.types("exit 7\n")
	s.types("echo code $?\n")
	s.shows("code 7")
	s.has("signal 2 ", 1)
}

// S10: fg of a running job, which bash does not send CONT then. The first Ctrl-C comes
// to startgate, and from then on the application has the terminal.
func TestTerminalToForegroundWhileRunning(t *testing.T) {
	inShells(t, func(s *terminal) {
		s.types("$startgate $app signals &\n")
		s.shows("ready")
		gate := childrenOf(s, s.pid())[0]
		app := childrenOf(s, gate)[0]
		s.types("fg\n")
		s.belongsTo(gate, app)
		s.types(ctrlC)
		s.shows("signal 2 ")
		s.belongsTo(app)
		s.types(ctrlC)
		s.shows("signal 2 code 128")
		s.resizes(50)
		s.shows("signal 28 code 128")
		s.has("signal 2 ", 2)
		s.has("signal 28 ", 1)
	})
}

// S10: the shell keeps the terminal when a job ends in the background.
func TestTerminalIsNotTakenFromShell(t *testing.T) {
	inShells(t, func(s *terminal) {
		s.types("$startgate $app terminal\n")
		app, gate := s.ready("foreground")
		s.types(ctrlZ)
		s.are("T", app, gate)
		if err := syscall.Kill(app, unix.SIGKILL); err != nil {
			s.Fatalf("%v", err)
		}
		s.types("bg\n")
		eventually(s, "startgate's end", func() bool { return isGone(gate) })
		s.types("head -n 1\n")
		s.types("typed\n")
		s.shows("typed") // the echo
		s.shows("typed")
		s.types("echo code $((6*7))\n")
		s.shows("code 42")
	})
}

// S10: writing to the terminal at the end stops nobody, even when the program could
// not be run after it had got the terminal.
func TestTerminalWithTostop(t *testing.T) {
	inShells(t, func(s *terminal) {
		garbage := filepath.Join(s.TempDir(), "garbage")
		if err := os.WriteFile(garbage, []byte("\x00\x01"), 0o755); err != nil {
			s.Fatalf("%v", err)
		}
		s.types("stty tostop\n")
		s.types("$startgate $app terminal\n")
		s.ready("foreground")
		s.types("exit 7\n")
		s.shows(exitedText)
		s.types("echo code $?\n")
		s.shows("code 7")
		s.types("$startgate " + garbage + "\n")
		s.shows("not a program")
		s.types("echo code $?\n")
		s.shows("code 126")
	})
}

// S10: in a pipeline and in a script the application shares a group with others. It
// can read, what is typed comes to it once, and all of the job stop and go on.
func TestTerminalShared(t *testing.T) {
	for name, job := range map[string]string{
		"pipeline":        "$startgate $app terminal | (trap '' INT; cat)",
		"pipeline of all": "$startgate $app terminal 2>&1 | (trap '' INT; cat)",
		"script of group": `STARTGATE_SUPERVISE=group sh -c 'trap : INT QUIT; $startgate $app terminal; echo its code $?'`,
		"script":          `sh -c 'trap : INT QUIT; $startgate $app terminal; echo its code $?'`,
	} {
		t.Run(name, func(t *testing.T) {
			inShells(t, func(s *terminal) {
				s.types(job + "\n")
				app, gate := s.ready("")
				s.types("hello\n")
				s.shows("read hello")
				s.types(ctrlC)
				s.shows("signal 2 code 128")
				s.resizes(50)
				s.shows("signal 28 code 128")
				if err := syscall.Kill(gate, unix.SIGUSR1); err != nil {
					s.Fatalf("%v", err)
				}
				s.shows("signal 10 code 0")
				s.has("signal 2 ", 1)
				s.has("signal 28 ", 1)
				s.types(ctrlZ)
				s.are("T", app, gate)
				s.types("fg\n")
				s.shows("signal 18 ")
				s.types("again\n")
				s.shows("read again")
				s.has("signal 18 ", 1)
				s.types("exit 7\n")
				if strings.HasPrefix(name, "script") {
					s.shows("its code 7")
				}
				s.types("echo still $((6*7))\n")
				s.shows("still 42")
			})
		})
	}
}

// S10: the limits. TTOU is startgate's own, because its calls to the terminal raise it.
// In a script, what kill(2) sends of that which can be typed is taken for typed; TERM
// always comes.
func TestTerminalSignalsByKill(t *testing.T) {
	for _, test := range []struct {
		job           string
		arrive, never []syscall.Signal
	}{
		{"$startgate $app signals", []syscall.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGWINCH}, []syscall.Signal{unix.SIGTTOU}},
		{"sh -c '$startgate $app signals; :'", nil, []syscall.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGWINCH}},
	} {
		inShells(t, func(s *terminal) {
			s.types(test.job + "\n")
			s.shows("ready")
			gate := childrenOf(s, s.pid())[0]
			if programOf(gate) != binary { // the script
				gate = s.childOf(gate, binary)
			}
			if slices.Contains(test.never, unix.SIGTTOU) {
				eventually(s, "startgate to ignore TTOU", func() bool { return ignores(gate, unix.SIGTTOU) })
			}
			for _, sig := range slices.Concat(test.never, test.arrive, []syscall.Signal{unix.SIGTERM}) {
				if err := syscall.Kill(gate, sig); err != nil {
					s.Fatalf("%v", err)
				}
				if !slices.Contains(test.never, sig) {
					s.shows(fmt.Sprintf("signal %d code 0", sig))
				}
			}
			for _, sig := range test.never {
				s.has(fmt.Sprintf("signal %d ", sig), 0)
			}
		})
	}
}

// S10: startgate leads the session, as in a container with a terminal, also as its
// PID 1. There is no shell to make a stopped application go on.
func TestTerminalOfContainer(t *testing.T) {
	for _, pid1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("PID 1 %t", pid1), func(t *testing.T) {
			cmd := exec.Command(binary, "--", program(t, "supervised"), "terminal")
			if pid1 {
				needRoot(t)
				asPID1(cmd)
			}
			s := newTerminal(t, cmd)
			s.shows("is ready, in the foreground")
			s.types("hello\n")
			s.shows("read hello")
			s.types(ctrlC)
			s.shows("signal 2 code 128")
			s.types(ctrlZ)
			s.shows("signal 18 ")
			s.types("again\n")
			s.shows("read again")
			s.types(ctrlC)
			s.shows("signal 2 code 128")
			s.has("signal 2 ", 2)
			s.types("exit 7\n")
			s.ends(7)
		})
	}
}

// S10: the terminal hangs up. The kernel tells the leader of the session, which is
// startgate; the application ends by that, and nothing is left.
func TestTerminalHangsUp(t *testing.T) {
	s := newTerminal(t, exec.Command(binary, "--", "sleep", "1000"))
	s.shows("starting sleep")
	var app int
	eventually(s, "the application", func() bool {
		for _, app = range childrenOf(s, s.pid()) {
			return programOf(app) != binary
		}
		return false
	})
	s.master.Close()
	s.ends(128 + int(unix.SIGHUP))
	if !isGone(app) {
		t.Error("the application goes on")
	}
}

// S10: the application is a shell, with jobs of its own.
func TestTerminalOfShell(t *testing.T) {
	for _, argv := range shells {
		t.Run(argv[0], func(t *testing.T) {
			need(t, argv[0])
			cmd := exec.Command(binary, append([]string{"--"}, argv...)...)
			s := newTerminal(t, cmd)
			s.shows("$ ")
			s.types("$app terminal\n")
			s.ready("foreground")
			s.types(ctrlC)
			s.shows("signal 2 code 128")
			s.types(ctrlZ)
			s.shows("topped")
			s.types("echo in $((6*7))\n")
			s.shows("in 42")
			s.types("fg\n")
			s.shows("signal 18 ")
			s.types("exit 3\n")
			s.types("echo code $?\n")
			s.shows("code 3")
			s.has("signal 2 ", 1)
			s.types("exit 5\n")
			s.ends(5)
		})
	}
}
