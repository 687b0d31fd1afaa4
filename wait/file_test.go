package wait

// This file covers targets of the scheme file.

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFile(t *testing.T) {
	dir := ownDir(t)
	at := func(name string) string { return "file://" + filepath.Join(dir, name) }
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	wantAnswer(t, at("f"), NotReady, "it does not exist")
	write(t, dir, "f", "")
	wantAnswer(t, at("f"), NotReady, "it is empty")
	write(t, dir, "f", "x")
	wantAnswer(t, at("f"), Ready, "it is there")
	write(t, dir, "a b,c", "x")
	wantAnswer(t, "file://"+dir+"/a%20b%2Cc", Ready, "it is there")

	write(t, dir, "marker", "")
	wantAnswer(t, at("marker#empty"), Ready, "it is there")
	wantAnswer(t, at("f#empty"), Ready, "it is there")
	wantAnswer(t, at("none#empty"), NotReady, "it does not exist")
	wantAnswer(t, "file://"+dir+"#empty", NotReady, "it is a directory")

	wantAnswer(t, "file://"+dir, NotReady, "it is a directory")
	wantAnswer(t, at("f/g"), Failed, "not a directory")
	wantAnswer(t, at("d/g"), NotReady, "it does not exist")

	// Kubernetes makes the files of a volume as symbolic links.
	link("..data/f", "l")
	wantAnswer(t, at("l"), NotReady, "it does not exist")
	if err := os.Mkdir(filepath.Join(dir, "..2026"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "..2026"), "f", "x")
	link("..2026", "..data")
	wantAnswer(t, at("l"), Ready, "it is there")
	link("loop", "loop")
	wantAnswer(t, at("loop"), Failed, "too many levels of symbolic links")
}

// The option of a file has no value, and is shown.
func TestFileOption(t *testing.T) {
	if name := mustParse(t, "file:///run/marker#empty").Name; name != "file:///run/marker#empty" {
		t.Errorf("it is called %s", name)
	}
	if _, err := Parse("file:///run/marker#empty=no"); err == nil || !strings.HasSuffix(err.Error(), ": #empty has no value: write #empty, or leave it out") {
		t.Errorf("%v", err)
	}
}

// The file need not be readable, but its directory must be searchable.
func TestFileWithoutPermission(t *testing.T) {
	if !asUnprivileged(t) {
		return
	}
	dir := t.TempDir()
	file := write(t, dir, "f", "x")
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, "file://"+file, Ready, "it is there")
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	wantAnswer(t, "file://"+file, Failed, "permission denied")
}

// A wait ends when the file appears and is not empty.
func TestForFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	var answers []string
	policy := Policy{Max: 10 * time.Millisecond, Observe: func(e Event) {
		if _, err := os.Stat(path); err == nil {
			write(t, filepath.Dir(path), "secret", "password")
		} else {
			write(t, filepath.Dir(path), "secret", "")
		}
		answers = append(answers, e.Answer.Detail)
	}}
	if err := For(t.Context(), mustParse(t, "file://"+path), policy); err != nil {
		t.Fatal(err)
	}
	at := "look at file://" + path + ": "
	want := []string{at + "it does not exist", at + "it is empty", at + "it is there"}
	if len(answers) != 3 || answers[0] != want[0] || answers[1] != want[1] || answers[2] != want[2] {
		t.Errorf("answers are %q, want %q", answers, want)
	}
}

// ended is a context that has ended, as a probe notices that sees its result first.
type ended struct{ context.Context }

func (ended) Err() error { return context.Canceled }

// A file that is there is not ready once the context has ended.
func TestFileTooLate(t *testing.T) {
	target := mustParse(t, "file://"+write(t, t.TempDir(), "f", "text"))
	if answer := target.Prober.Probe(ended{t.Context()}); answer.Outcome == Ready {
		t.Error(answer)
	}
}
