//go:build linux

package tests

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The tests in replace_*_test.go hold startgate to R1 to R14 of what handing over
// must get right: the program it becomes sees just what it would see if it had
// been started in startgate's place. Where Go's runtime makes that impossible, a
// test says exactly what is different.

// patience is how long a process of these tests may take before it counts as stuck.
const patience = 20 * time.Second

// stage is where a test starts programs, directly and through startgate.
type stage struct {
	*testing.T
	dir      string // open to every user
	recorder string // testdata/recorder.c, compiled
}

func newStage(t *testing.T) *stage {
	t.Helper()
	need(t, "cc")
	// What this process ignores, its children would ignore as well: INT, when the
	// tests are a shell's background job. What it catches is theirs as usual.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	s := &stage{T: t, dir: t.TempDir()}
	for _, dir := range []string{filepath.Dir(binary), filepath.Dir(s.dir), s.dir} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s.recorder = filepath.Join(s.dir, "recorder")
	out, err := exec.CommandContext(t.Context(), "cc", "-O1", "-o", s.recorder, "testdata/recorder.c").CombinedOutput()
	if err != nil {
		t.Fatalf("cannot compile the recorder: %v\n%s", err, out)
	}
	return s
}

// in returns the same stage for a subtest.
func (s *stage) in(t *testing.T) *stage { return &stage{t, s.dir, s.recorder} }

// start is one way to start a program.
type start struct {
	as      []string    // what runs the launcher, such as setpriv and its flags
	states  []string    // what the launcher sets up
	program []string    // nil is the recorder; a recorder's arguments follow after seenBy
	env     []string    // nil is plain
	dir     string      // the current directory
	stdio   [3]*os.File // nil is /dev/null, but a file for standard error
	extra   []*os.File  // descriptors from 3 on
}

// set is what to tell the launcher: words, numbers, and lists of words.
func set(words ...any) []string {
	var states []string
	for _, word := range words {
		if more, ok := word.([]string); ok {
			states = append(states, more...)
			continue
		}
		states = append(states, fmt.Sprint(word))
	}
	return states
}

// plain is the environment of these tests.
var plain = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "STARTGATE_WAIT_FOR=none"}

// seen is where the recorder writes to.
func (s *stage) seen() string { return filepath.Join(s.dir, "seen") }

// command returns the start, with these words before the program: startgate's
// path, or none.
func (s *stage) command(a start, through ...string) *exec.Cmd {
	s.Helper()
	if a.program == nil {
		a.program = []string{s.recorder, "record", s.seen()}
	}
	if a.env == nil {
		a.env = plain
	}
	argv := append(append([]string{}, a.as...), s.recorder, "set")
	argv = append(append(argv, a.states...), "--")
	argv = append(append(argv, through...), a.program...)
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	s.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.ExtraFiles = a.env, a.dir, a.extra
	// Only a file reaches the program as it is; anything else becomes a pipe.
	for i, std := range a.stdio {
		if std == nil {
			continue
		}
		switch i {
		case 0:
			cmd.Stdin = std
		case 1:
			cmd.Stdout = std
		case 2:
			cmd.Stderr = std
		}
	}
	if a.stdio[2] == nil {
		cmd.Stderr = s.file("stderr", os.O_RDWR|os.O_TRUNC)
	}
	return cmd
}

// file opens a file on the stage.
func (s *stage) file(name string, flags int) *os.File {
	s.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, name), flags|os.O_CREATE, 0o666)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { f.Close() })
	return f
}

// sight is what a program saw of itself, by name.
type sight map[string]string

// sees starts the recorder and returns what it saw. It must be the process that
// was started, and its parent this one.
func (s *stage) sees(a start, through ...string) sight {
	s.Helper()
	os.Remove(s.seen())
	cmd := s.command(a, through...)
	if err := cmd.Run(); err != nil {
		stderr, _ := os.ReadFile(filepath.Join(s.dir, "stderr"))
		s.Fatalf("%q: %v\n%s", cmd.Args, err, stderr)
	}
	text, err := os.ReadFile(s.seen())
	if err != nil {
		s.Fatal(err)
	}
	saw := sightOf(text)
	for name, want := range map[string]int{"pid": cmd.Process.Pid, "parent": os.Getpid()} {
		if saw[name] != strconv.Itoa(want) {
			s.Errorf("%q: %s is %s, want %d", cmd.Args, name, saw[name], want)
		}
		delete(saw, name)
	}
	return saw
}

// sightOf reads what a recorder wrote.
func sightOf(text []byte) sight {
	saw := sight{}
	for line := range bytes.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\t")
		saw[name] = value
	}
	return saw
}

// same starts the recorder directly and through startgate, and compares. A limit
// turns what is seen directly into what must be seen through startgate. It
// returns what was seen directly.
func (s *stage) same(a start, limits ...func(sight)) sight {
	s.Helper()
	direct := s.sees(a)
	want := maps.Clone(direct)
	for _, limit := range limits {
		limit(want)
	}
	s.equal(want, s.sees(a, binary, "--"))
	return direct
}

func (s *stage) equal(want, got sight) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("the program sees the difference (-directly +through startgate):\n%s", diff)
	}
}

// shows tells that the launcher did what the test asks it for: a test of a state
// that was not there would prove nothing.
func (saw sight) shows(t *testing.T, name, want string) {
	t.Helper()
	if got := saw[name]; !strings.Contains(got, want) {
		t.Errorf("the launcher did not set the state up: %s is %q, want %q", name, got, want)
	}
}
