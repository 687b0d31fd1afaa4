//go:build linux

package tests

// The comparison of a program that is started directly with one that startgate becomes
// or supervises. The tests in replace_*_test.go hold startgate to R1 to R14: the
// program sees just what it would see if it had been started in startgate's place.
// Where Go's runtime makes that impossible, a test says exactly what is different.

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// comparison starts programs, directly and through startgate.
type comparison struct {
	*testing.T
	dir      string // open to every user
	recorder string // testdata/recorder.c, compiled
}

func newComparison(t *testing.T) *comparison {
	t.Helper()
	s := &comparison{T: t, dir: t.TempDir()}
	for _, dir := range []string{filepath.Dir(s.dir), s.dir} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s.recorder = s.link("recorder")
	return s
}

// in returns the same comparison for a subtest.
func (s *comparison) in(t *testing.T) *comparison { return &comparison{t, s.dir, s.recorder} }

// link gives the recorder a path of its own.
func (s *comparison) link(name string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.Link(program(s, "recorder"), path); err != nil && !os.IsExist(err) {
		s.Fatal(err)
	}
	return path
}

// launch is one way to start a program.
type launch struct {
	as      []string    // what runs the launcher, such as setpriv and its flags
	states  []string    // what the launcher sets up
	program []string    // nil is the recorder
	env     []string    // nil is plain
	dir     string      // the current directory
	stdio   [3]*os.File // nil is /dev/null, but a file for standard error
	extra   []*os.File  // descriptors from 3 on
}

// words makes a list of words, numbers, and lists of words.
func words(parts ...any) []string {
	var all []string
	for _, part := range parts {
		if more, ok := part.([]string); ok {
			all = append(all, more...)
			continue
		}
		all = append(all, fmt.Sprint(part))
	}
	return all
}

// The environments of the two modes.
var (
	plain        = environ("WAIT_FOR=none")
	superviseEnv = environ("WAIT_FOR=none", "SUPERVISE=true")
)

// seen is where the recorder writes to.
func (s *comparison) seen() string { return filepath.Join(s.dir, "seen") }

// command returns the launch, with these words before the program: startgate's
// path, or none.
func (s *comparison) command(a launch, through ...string) *exec.Cmd {
	s.Helper()
	if a.program == nil {
		a.program = []string{s.recorder, "record", s.seen()}
	}
	if a.env == nil {
		a.env = plain
	}
	argv := words(a.as, s.recorder, "set", a.states, "--", through, a.program)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.ExtraFiles = a.env, a.dir, a.extra
	// Only a file reaches the program as it is; anything else becomes a pipe.
	for i, std := range a.stdio {
		switch {
		case std != nil:
		case i < 2:
			a.stdio[i] = s.file("/dev/null", 0)
		default:
			a.stdio[i] = s.file(filepath.Join(s.dir, "stderr"), os.O_TRUNC)
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdio[0], a.stdio[1], a.stdio[2]
	return cmd
}

// withPipes returns the launch with the runner's pipes as its standard streams.
func (s *comparison) withPipes(a launch, through ...string) *exec.Cmd {
	s.Helper()
	cmd := s.command(a, through...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, nil, nil
	return cmd
}

// file opens a file for reading and writing.
func (s *comparison) file(path string, flags int) *os.File {
	s.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|flags, 0o666)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { f.Close() })
	return f
}

// snapshot is what a program saw of itself, by name.
type snapshot map[string]string

// record starts the recorder, and returns what it saw and the process.
func (s *comparison) record(a launch, through ...string) (snapshot, *process) {
	s.Helper()
	os.Remove(s.seen())
	p := runToEnd(s, s.command(a, through...))
	if code := p.code(); code != 0 {
		p.Fatalf("exit code is %d\n%s", code, readIfThere(s.T, filepath.Join(s.dir, "stderr")))
	}
	return s.recorded(), p
}

// recorded reads what a recorder wrote.
func (s *comparison) recorded() snapshot {
	s.Helper()
	text, err := os.ReadFile(s.seen())
	if err != nil {
		s.Fatal(err)
	}
	saw := snapshot{}
	for line := range bytes.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\t")
		saw[name] = value
	}
	return saw
}

// sees starts the recorder and returns what it saw. It must be the process that
// was started, and its parent this one.
func (s *comparison) sees(a launch, through ...string) snapshot {
	s.Helper()
	saw, p := s.record(a, through...)
	for name, want := range map[string]int{"pid": p.pid(), "parent": os.Getpid()} {
		if saw[name] != strconv.Itoa(want) {
			p.Errorf("%s is %s, want %d", name, saw[name], want)
		}
		delete(saw, name)
	}
	return saw
}

// same starts the recorder directly and through startgate, and compares. A limit
// turns what is seen directly into what must be seen through startgate. It
// returns what was seen directly.
func (s *comparison) same(a launch, limits ...func(snapshot)) snapshot {
	s.Helper()
	direct := s.sees(a)
	want := maps.Clone(direct)
	for _, limit := range limits {
		limit(want)
	}
	s.equal(want, s.sees(a, binary, "--"))
	return direct
}

func (s *comparison) equal(want, got snapshot) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("the program sees the difference (-directly +through startgate):\n%s", diff)
	}
}

// shows checks that the launcher did what the test asks it for: a test of a state
// that was not there would prove nothing.
func (saw snapshot) shows(t *testing.T, name, want string) {
	t.Helper()
	if got := saw[name]; !strings.Contains(got, want) {
		t.Errorf("the launcher did not set the state up: %s is %q, want %q", name, got, want)
	}
}
