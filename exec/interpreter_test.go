package exec

// This file tests how a program's interpreter is found and checked.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInterpreterOf(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct{ head, want string }{
		{"#!/bin/sh\n", "/bin/sh"},
		{"#!/bin/sh", "/bin/sh"},
		{"#! \t /bin/sh \t\n", "/bin/sh"},
		{"#!/usr/bin/env bash\nexit", "/usr/bin/env"},
		{"#!/bin/sh\r\n", "/bin/sh\r"},
		{"#!/bin/sh\x00-e\n", "/bin/sh"},
		{"#!sh\n", "sh"},
		{"#!" + strings.Repeat("/", 100) + "bin/sh\n", strings.Repeat("/", 100) + "bin/sh"},
		{"#!/bin/sh -" + strings.Repeat("e", 300) + "\n", "/bin/sh"},
		{"#!" + strings.Repeat("/", 300) + "bin/sh\n", ""}, // the kernel does not take it for one
		{"#!\n", ""},
		{"#!   \n/bin/sh\n", ""},
		{"#!", ""},
		{" #!/bin/sh\n", ""},
		{"# !/bin/sh\n", ""},
		{"echo hello\n", ""},
		{"", ""},
		{"\x7fELF", ""},
		{"\x7fELF" + strings.Repeat("\x02", 300), ""},
	} {
		writeFile(t, "it", test.head, 0o755)
		if got, _ := interpreterOf("it"); got != test.want {
			t.Errorf("interpreterOf %q = %q, want %q", test.head, got, test.want)
		}
	}
	if got, _ := interpreterOf("none"); got != "" {
		t.Errorf("interpreterOf a file that cannot be read = %q", got)
	}
}

func TestInterpreterProblemFollowsScripts(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "it", "#! ./as\n", 0o755)
	writeFile(t, "as", "#! ./last\n", 0o755)
	err := interpreterProblem("it")
	if want := "its interpreter ./as: its interpreter ./last does not exist"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	writeFile(t, "last", "#! ./it\n", 0o755) // a circle: the kernel itself reports it
	if err := interpreterProblem("it"); err != nil {
		t.Errorf("a circle of interpreters: %v", err)
	}
}

// Examining a file returns, whatever the file contains.
func FuzzInterpreterOf(f *testing.F) {
	f.Add("#!/bin/sh -e\n")
	f.Add("#!\r\n")
	if self, err := os.Executable(); err == nil {
		f.Add(string(headOf(self)))
	}
	file := filepath.Join(f.TempDir(), "it")
	f.Fuzz(func(t *testing.T, text string) {
		writeFile(t, file, text, 0o755)
		path, kind := interpreterOf(file)
		if kind == "interpreter" && (len(path) > headSize || strings.ContainsAny(path, " \t\n\x00")) {
			t.Errorf("interpreterOf %q = %q", text, path)
		}
		_ = interpreterProblem(file)
		_ = notAProgram(file)
	})
}

func TestIsText(t *testing.T) {
	for head, want := range map[string]bool{
		"echo hello\n":     true,
		"echo hello":       true,
		"\xff\xfe\n":       true,
		"echo\n\x00binary": true, // a script may carry data behind it
		"\x00\n":           false,
		"\x01\x02\x00":     false,
		"":                 true,
	} {
		if got := isText([]byte(head)); got != want {
			t.Errorf("isText(%q) = %v", head, got)
		}
	}
	if isText(headOf("/no/such/file")) {
		t.Error("a file that cannot be read is text")
	}
}
