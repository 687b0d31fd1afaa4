//go:build linux

package tests

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// The benchmarks measure the real binary, and beside it whatever other programs are
// put before an application:
//
//	go test ./cmd/startgate/tests -run '^$' -bench . \
//	    -wrapper 'linkerd-await --uri http://localhost:{port}/ready --' \
//	    -wrapper "curl-loop: sh -c 'until curl -sf {url}; do sleep 1; done; exec \"\$@\"' --"
//
// What -wrapper is given is split at white space. What stands between two ' or two "
// is taken as it is, with its white space and the other kind of quote. There are no
// backslashes, variables or patterns: those of the line above are the shell's, which
// hands on exec "$@". First may stand a name for the wrapper that ends in a colon,
// then its environment as NAME=VALUE, then the program and its arguments. After the
// splitting {url}, {host} and {port} become where the sidecar of the benchmark
// listens, which has the same answer for every path; the application is appended.
//
// What a wrapper does not do is not measured, and a line says why.

// wrapper is what stands before the application.
type wrapper struct {
	name      string
	env, argv []string
	ours      bool // it is startgate: what it does not do is a failure
}

// others are the wrappers to measure beside startgate.
var others = wrapperFlag()

func wrapperFlag() *[]wrapper {
	list := new([]wrapper)
	usage := "a `command` to measure beside startgate: [name:] [NAME=VALUE]... program [argument]..., with {url}, {host}, {port} of the sidecar"
	flag.Func("wrapper", usage, func(line string) error {
		w, err := parseWrapper(line)
		if err == nil {
			_, err = exec.LookPath(w.argv[0])
		}
		*list = append(*list, w)
		return err
	})
	return list
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*=`)

func parseWrapper(line string) (w wrapper, err error) {
	words, err := splitWords(line)
	if err != nil {
		return w, err
	}
	if len(words) > 0 && strings.HasSuffix(words[0], ":") {
		w.name, words = strings.TrimSuffix(words[0], ":"), words[1:]
	}
	for len(words) > 0 && assignment.MatchString(words[0]) {
		w.env, words = append(w.env, words[0]), words[1:]
	}
	if len(words) == 0 {
		return w, errors.New("there is no program")
	}
	if w.name == "" {
		w.name = filepath.Base(words[0])
	}
	w.argv = words
	return w, nil
}

func splitWords(line string) (words []string, err error) {
	var word strings.Builder
	var quote rune
	within := false
	for _, c := range line + " " {
		switch {
		case c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, within = c, true
		case !unicode.IsSpace(c):
			word.WriteRune(c)
			within = true
		case within:
			words = append(words, word.String())
			word.Reset()
			within = false
		}
	}
	if quote != 0 {
		return nil, errors.New("there is no second " + string(quote))
	}
	return words, nil
}

func TestParseWrapper(t *testing.T) {
	for _, test := range []struct {
		line string
		want wrapper
		err  string
	}{
		{line: "  tini\t-g --", want: wrapper{name: "tini", argv: []string{"tini", "-g", "--"}}},
		{line: "/usr/bin/tini", want: wrapper{name: "tini", argv: []string{"/usr/bin/tini"}}},
		{line: `loop: sh -c 'until x "{url}"; do sleep 1; done; exec "$@"' --`, want: wrapper{
			name: "loop", argv: []string{"sh", "-c", `until x "{url}"; do sleep 1; done; exec "$@"`, "--"},
		}},
		{line: `A=1 B_2='x y' w a=b`, want: wrapper{name: "w", env: []string{"A=1", "B_2=x y"}, argv: []string{"w", "a=b"}}},
		{line: `w a'b c'"d\" '' ""`, want: wrapper{name: "w", argv: []string{"w", `ab cd\`, "", ""}}},
		{line: `w 'a`, err: "there is no second '"},
		{line: " ", err: "there is no program"},
		{line: "name: A=1", err: "there is no program"},
	} {
		got, err := parseWrapper(test.line)
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%s: error is %v, want %s", test.line, err, test.err)
			}
			continue
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(wrapper{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", test.line, err, diff)
		}
	}
}

// gateWith returns startgate with these settings, without the prefix.
func gateWith(name string, settings ...string) wrapper {
	w := wrapper{name: name, argv: []string{binary, "--"}, ours: true}
	for _, setting := range settings {
		w.env = append(w.env, "STARTGATE_"+setting)
	}
	return w
}

// beside measures startgate, in each of these forms, and then the others.
func beside(b *testing.B, measure func(*testing.B, wrapper), ours ...wrapper) {
	for _, w := range slices.Concat(ours, *others) {
		b.Run(w.name, func(b *testing.B) { measure(b, w) })
	}
}

// command returns the wrapper with an application after it, beside this sidecar. With
// the context it is killed, and its children with it.
func (w wrapper) command(ctx context.Context, b *testing.B, s *standIn, app ...string) *exec.Cmd {
	fill := strings.NewReplacer("{url}", s.url(), "{host}", s.host, "{port}", s.port)
	var argv []string
	for _, word := range w.argv {
		argv = append(argv, fill.Replace(word))
	}
	argv = append(argv, app...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { killTree(b, cmd.Process.Pid); return nil }
	cmd.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "STARTGATE_") })
	for _, entry := range w.env {
		cmd.Env = append(cmd.Env, fill.Replace(entry))
	}
	return cmd
}

// killTree kills a process, if it is there, and all that it has started.
func killTree(b *testing.B, pid int) {
	children := childrenOf(b, pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for _, child := range children {
		killTree(b, child)
	}
}

// cannot ends a benchmark of what the wrapper does not do. The reason of a skipped
// benchmark alone would be shown with -v only.
func (w wrapper) cannot(b *testing.B, why string) {
	b.Helper()
	if w.ours {
		b.Fatal(why)
	}
	fmt.Printf("# %s is skipped: %s\n", b.Name(), strings.TrimSpace(why))
	b.SkipNow()
}
