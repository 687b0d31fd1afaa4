package exec

// This file tests that the environment is read unchanged, and PATH taken from it.

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEntries(t *testing.T) {
	for _, test := range []struct {
		block string
		want  []string
	}{
		{"", nil},
		{"A=1\x00", []string{"A=1"}},
		{"A=1\x00B=2\x00A=1\x00", []string{"A=1", "B=2", "A=1"}},
		{"\x00", []string{""}},
		{"\x00A=1\x00\x00", []string{"", "A=1", ""}},
		{"NAME\x00=x\x00\xff=\xfe\n\x00", []string{"NAME", "=x", "\xff=\xfe\n"}},
		{"A=1\x00B=cut", []string{"A=1", "B=cut"}},
	} {
		if diff := cmp.Diff(test.want, entries(test.block)); diff != "" {
			t.Errorf("entries(%q) (-want +got):\n%s", test.block, diff)
		}
	}
}

func FuzzEntries(f *testing.F) {
	f.Add("A=1\x00\x00A=1\x00")
	f.Fuzz(func(t *testing.T, block string) {
		again := strings.Join(append(entries(block), ""), "\x00")
		if again != block && again != block+"\x00" {
			t.Errorf("entries(%q), joined again, = %q", block, again)
		}
	})
}

func TestEnvironIgnoresSetenv(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("needs /proc")
	}
	before := Environ()
	t.Setenv("SET_BY_THE_PROCESS_ITSELF", "1")
	if diff := cmp.Diff(before, Environ()); diff != "" {
		t.Errorf("setting a variable changed it (-before +after):\n%s", diff)
	}
	if len(before) == 0 || slices.ContainsFunc(before, func(entry string) bool { return strings.Contains(entry, "\x00") }) {
		t.Errorf("Environ() = %q", before)
	}
}

func TestSearchPath(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{nil, defaultPath},
		{[]string{"HOME=/", "PATHS=/x", "PATH"}, defaultPath},
		{[]string{"PATH=/a:/b"}, "/a:/b"},
		{[]string{"PATH="}, ""},
		{[]string{"PATH=/first", "PATH=/second"}, "/first"},
	} {
		if got := SearchPath(test.environ); got != test.want {
			t.Errorf("SearchPath(%q) = %q, want %q", test.environ, got, test.want)
		}
	}
}
