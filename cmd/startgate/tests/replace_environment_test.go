//go:build linux

package tests

// R1 and R2: the environment and the arguments stay.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// R1: Go's own os.Environ loses duplicates and empty entries.
func TestReplaceKeepsEnvironment(t *testing.T) {
	s := newComparison(t)
	for name, entries := range map[string][]string{
		"duplicates":        {"TWICE=1", "TWICE=2", "TWICE=1"},
		"second PATH":       {"PATH=/nowhere"},
		"empty entries":     {"", "A=1", ""},
		"no equals sign":    {"NOEQUALS", "A=1", "TWICE", "TWICE"},
		"empty name":        {"=starts", "==", "="},
		"not UTF-8":         {"BYTES=\xff\xfe\x80\x01\n\t", "\xc3=1"},
		"order":             {"Z=1", "A=1", "M=1"},
		"long":              {"LONG=" + strings.Repeat("x", 128<<10-10)},
		"empty settings":    {"STARTGATE_TIMEOUT=", "STARTGATE_LOG_LEVEL="},
		"twice the setting": {"STARTGATE_WAIT_FOR=istio"},
		"unknown settings":  {"STARTGATE_TIMEUOT=1s", "STARTGATE_SERVICE_HOST=10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			var states []string
			for _, entry := range entries {
				states = words(states, "env", entry)
			}
			saw := s.same(launch{states: states})
			for _, entry := range entries {
				found := false
				for name, value := range saw {
					found = found || strings.HasPrefix(name, "env ") && value == escaped(entry)
				}
				if !found {
					t.Errorf("the launcher did not set up %q", entry)
				}
			}
		})
	}
	t.Run("in front", func(t *testing.T) {
		s.in(t).same(launch{states: words("env-first", "PATH=/nowhere", "env-first", "")}).shows(t, "env 0001", "PATH=/nowhere")
	})
	t.Run("near the limit", func(t *testing.T) {
		var states []string
		for range 10 {
			states = words(states, "env", "LONG="+strings.Repeat("x", 100<<10))
		}
		s.in(t).same(launch{states: states}).shows(t, "env 0011", "LONG=xxx")
	})
}

// escaped writes a value as the recorder does.
func escaped(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' || c == '\\' {
			b.WriteString(`\x` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// R1: without any environment there are no settings either: startgate waits for Istio.
func TestReplaceKeepsEmptyEnvironment(t *testing.T) {
	needRoot(t)
	s := newComparison(t)
	enterNetwork(t)
	startReady(t, agentAddr)
	saw := s.same(launch{states: words("env-none")})
	if entry, any := saw["env 0000"]; any {
		t.Errorf("the launcher did not empty the environment: there is %q", entry)
	}
}

// R1: the limit. Where /proc/self/environ cannot be read there is only what Go
// kept, which is each name once and no empty entry.
func TestReplaceEnvironmentWithoutProc(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "setpriv")
	s := newComparison(t)
	odd := words("env", "TWICE=1", "env", "TWICE=2", "env", "", "env", "A=1", "env", "NOEQUALS")
	program := []string{"/usr/bin/env", "-0"}
	all := "TWICE=1\x00TWICE=2\x00\x00A=1\x00NOEQUALS\x00"
	once := "TWICE=1\x00A=1\x00NOEQUALS\x00"

	hidden := []string{"unshare", "--mount", "sh", "-ec", `mount -t tmpfs none /proc; exec "$@"`, "sh"}
	// A program that its user may not read does not let the user read its /proc.
	unreadable := filepath.Join(s.dir, "unreadable")
	copyFile(t, binary, unreadable)
	if err := os.Chmod(unreadable, 0o111); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		as      []string
		through string
		want    string
	}{
		{"readable", nil, binary, all},
		{"no /proc", hidden, binary, once},
		{"startgate execute-only", asNobody, unreadable, once},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.in(t)
			p := start(t, s.withPipes(launch{as: test.as, states: odd, program: program}, test.through, "--"))
			p.ends(0)
			got := p.out.String()
			if !strings.HasSuffix(got, test.want) || strings.Count(got, "TWICE") != strings.Count(test.want, "TWICE") {
				t.Errorf("environment is %q, want its end to be %q", got, test.want)
			}
		})
	}
}

// asNobody runs a command as a user without rights.
var asNobody = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}

// R2: the arguments, and the name by which the program was started.
func TestReplaceKeepsArguments(t *testing.T) {
	s := newComparison(t)
	t.Run("arguments", func(t *testing.T) {
		program := []string{s.recorder, "record", s.seen(), "", "a b", "--", "-x", "\xff\x01\n", "$HOME", "", strings.Repeat("x", 100<<10)}
		s.in(t).same(launch{program: program}).shows(t, "argv 0008", "$HOME")
	})
	for name, as := range map[string]struct{ file, path string }{
		"found in PATH":      {"recorder", s.dir},
		"relative":           {"./recorder", ""},
		"detour":             {".././" + filepath.Base(s.dir) + "//recorder", ""},
		"relative PATH":      {"recorder", "."},
		"empty PATH":         {"recorder", ""},
		"empty entry":        {"recorder", "/nowhere:"},
		"absolute":           {s.recorder, "/nowhere"},
		"deep in its PATH":   {"recorder", "/nowhere:../" + filepath.Base(s.dir) + "/:" + s.dir},
		"symbolic link":      {"./linked", ""},
		"link found by PATH": {"linked", s.dir},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			if err := os.Symlink("recorder", filepath.Join(s.dir, "linked")); err != nil && !os.IsExist(err) {
				t.Fatal(err)
			}
			env := []string{"PATH=" + as.path, "STARTGATE_WAIT_FOR=none"}
			s.same(launch{program: []string{as.file, "record", s.seen()}, env: env, dir: s.dir}).shows(t, "argv 0000", as.file)
		})
	}
	t.Run("without --", func(t *testing.T) {
		s := s.in(t)
		s.equal(s.sees(launch{}), s.sees(launch{}, binary))
	})
}
