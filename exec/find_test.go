package exec

// This file tests which file Find chooses, and how it explains that there is none.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeFile writes a file and makes its folder.
func writeFile(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// cmd/startgate/tests compares Find with execvp; these are the results that callers
// rely on.
func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "a/it", "#!/bin/sh\n", 0o755)
	writeFile(t, "b/it", "#!/bin/sh\n", 0o755)
	writeFile(t, "it", "#!/bin/sh\n", 0o755)
	writeFile(t, "denied/it", "#!/bin/sh\n", 0o644)
	writeFile(t, "denied2/it", "#!/bin/sh\n", 0o644)
	writeFile(t, "orphan", "#! /no/such/shell\n", 0o755)
	writeFile(t, "c/orphan", "#!/bin/sh\n", 0o755)
	writeFile(t, "denied/orphan", "#! /no/such/shell\n", 0o644)
	if err := os.Symlink("loop", "loop"); err != nil {
		t.Fatal(err)
	}
	elsewhere := mayAppear("none") // of a temporary directory on another file system
	for _, test := range []struct {
		name, path string
		want       string
		code       int
		text       string // of the error
		mayPass    bool
	}{
		{name: "it", path: "a:b", want: "a/it"},
		{name: "it", path: "none:b/:a", want: "b//it"},
		{name: "it", path: "", want: "it"},
		{name: "it", path: "none:", want: "it"},
		{name: "it", path: "denied:b", want: "b/it"},
		{name: "./a//it", path: "b", want: "./a//it"},
		{name: "it", path: "none:denied:denied2", code: 126, text: "cannot run denied/it: permission denied"},
		{name: "it", path: "none", code: 127, text: "cannot run it: not found in PATH=none"},
		{name: "./none", path: "a", code: 127, text: "cannot run ./none: no such file or directory"},
		{name: "", path: "a", code: 127, text: "cannot run the program: its name is empty"},
		{name: "a/", path: "a", code: 126, text: "cannot run a/: is a directory"},
		// execvp searches on after ENOENT; Find once stopped there.
		{name: "orphan", path: ".:c", want: "c/orphan"},
		{name: "orphan", path: ".:denied", code: 126, text: "cannot run denied/orphan: permission denied", mayPass: true},
		{name: "orphan", path: "it:.:none", code: 127, text: "cannot run ./orphan: its interpreter /no/such/shell does not exist", mayPass: true},
		{name: "orphan", path: ".", code: 127, text: "cannot run ./orphan: its interpreter /no/such/shell does not exist", mayPass: true},
		{name: "loop", path: "loop:b", code: 126, text: "cannot run loop/loop: too many levels of symbolic links"},
	} {
		got, err := Find(test.name, test.path)
		if test.code == 0 {
			if err != nil || got != test.want {
				t.Errorf("Find(%q, %q) = %q, %v, want %q", test.name, test.path, got, err, test.want)
			}
			continue
		}
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != test.code || !strings.HasPrefix(err.Error(), test.text) {
			t.Fatalf("Find(%q, %q): error %v, want %d: %s", test.name, test.path, err, test.code, test.text)
		}
		if exit.MayPass != test.mayPass && !elsewhere {
			t.Errorf("Find(%q, %q): it may pass: %t", test.name, test.path, exit.MayPass)
		}
	}
}

func TestFindErrorHasItsCause(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "denied", "", 0o644)
	if _, err := Find("./none", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	if _, err := Find("denied", ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not fs.ErrPermission", err)
	}
}

func TestExitError(t *testing.T) {
	cause := errors.New("the cause")
	err := error(&ExitError{Code: CodeCannotRun, Err: cause})
	if err.Error() != "the cause" || !errors.Is(err, cause) {
		t.Errorf("%v does not pass on its cause", err)
	}
}
