//go:build linux

package tests

// That README.md of this folder lists all that the tests hold startgate to, and which
// tests do so.

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// item is one requirement. A test names those that it holds at the beginning of its
// comment.
type item struct{ name, requires string }

// replacing is what the application finds that startgate becomes.
var replacing = []item{
	{"R1", "The environment is the same byte for byte: order, duplicates, empty entries, entries without `=`, bytes that are not UTF-8"},
	{"R2", "The arguments are the same; the first is the program's name as the user wrote it, not the path at which it was found"},
	{"R3", "PID, parent, session, process group, controlling terminal, current directory and umask are the same"},
	{"R4", "No open descriptor is added or lost, and each has the flags that it had: no pipe or terminal becomes non-blocking"},
	{"R5", "All resource limits are the same, also that of open files, which Go raises for itself"},
	{"R6", "Scheduling, priorities, affinity, timer slack, oom_score_adj, parent-death signal, subreaper, capabilities, securebits, no_new_privs, seccomp and personality are the same"},
	{"R7", "Blocked and pending signals are the same; there is no handler and no pending signal of startgate's"},
	{"R8", "An ignored signal stays ignored, HUP and INT at least, and does not end the wait"},
	{"R9", "No child, thread or open port of startgate is left"},
	{"R10", "The program is found as by execvp(3): by its path if the name has a slash, else in PATH; empty and relative entries work, unusable ones are passed over, and a script without `#!` runs under /bin/sh. What is missing on a volume, or is an interpreter, is looked up again after the wait"},
	{"R11", "The code is 127 when the program or its interpreter does not exist, and 126 when it cannot be run; the message says which file and why"},
	{"R12", "No signal is lost. Otherwise than as PID 1, it ends startgate or reaches the application, at any moment. As PID 1, none is lost during the wait; what the kernel or Go's runtime makes of one during the hand-over is in examples/pid1"},
	{"R13", "A signal that ends a program which handles none ends the wait at once with 128+n, also as PID 1, without a stack trace; those that cannot are in examples/pid1"},
	{"R14", "Where 0, 1 or 2 was closed, /dev/null is open, because Go opens it"},
}

// supervising is what startgate does for an application that is its child.
var supervising = []item{
	{"S1", "The code is the application's, whichever it is, or 128+n if signal n killed it, with a core or without"},
	{"S2", "Every signal that Go can catch reaches the application, or with `group` each process of its group, once; those that it cannot are in examples/pid1"},
	{"S3", "CHLD is never forwarded, nor is URG, which Go's runtime sends to itself"},
	{"S4", "A signal that comes between fork and the child's execve reaches the application"},
	{"S5", "A signal at any moment of the start is not lost, and leaves no orphan behind"},
	{"S6", "Of a burst of a signal at least one arrives, and so does the next other signal"},
	{"S7", "Orphans are reaped in every phase, as PID 1 and as a subreaper, and the code stays the application's when many exit at the same time"},
	{"S8", "The application is killed when startgate is"},
	{"S9", "An application that is stopped does not end startgate, and goes on after CONT"},
	{"S10", "On a terminal the application is the foreground job: Ctrl-C reaches it once, Ctrl-Z, fg and bg work, it hears of a new window size, and startgate is never stopped by writing to the terminal"},
	{"S11", "The application has startgate's descriptors, limits, signal mask and ignored signals, and the rest of what a child inherits"},
	{"S12", "Orphans that outlive the application are left alone"},
	{"S13", "At rest startgate hardly wakes up, and has at most 2 MB of memory of its own, after many probes or with metrics more"},
	{"S14", "Where prctl, pidfd_open or waitid is forbidden, it works with less, and says so"},
}

// What names an item, and the beginning of a test's comment that names those it holds.
var (
	itemName = regexp.MustCompile(`\b[RS]\d+\b`)
	cites    = regexp.MustCompile(`^[RS]\d+(, [RS]\d+)*: `)
)

// citing returns the names of the tests that cite each item; of one that is only
// spoken of in a comment, none.
func citing(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, comment := range parsed.Comments {
			for _, name := range itemName.FindAllString(comment.Text(), -1) {
				tests[name] = append(tests[name], []string{}...)
			}
		}
		for _, decl := range parsed.Decls {
			test, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(test.Name.Name, "Test") {
				continue
			}
			for _, name := range itemName.FindAllString(cites.FindString(test.Doc.Text()), -1) {
				tests[name] = append(tests[name], markdown.Code(test.Name.Name))
			}
		}
	}
	return tests
}

// TestContract finds an item that no test cites, one that is cited and does not exist,
// and a list that differs from the tests; with -update it writes the list.
func TestContract(t *testing.T) {
	tests := citing(t)
	for table, items := range map[string][]item{"replacing": replacing, "supervising": supervising} {
		rows := [][]string{{"", "requirement", "tests"}}
		for _, item := range items {
			if len(tests[item.name]) == 0 {
				t.Errorf("no test cites %s", item.name)
			}
			slices.Sort(tests[item.name])
			rows = append(rows, []string{item.name, item.requires, strings.Join(tests[item.name], ", ")})
			delete(tests, item.name)
		}
		markdown.CheckTable(t, "README.md", table, rows)
	}
	for name, by := range tests {
		t.Errorf("%s, cited by %s, does not exist", name, by)
	}
	rows := [][]string{{"fault", "test, called by `TestFaults`"}}
	for _, fault := range faults {
		test := runtime.FuncForPC(reflect.ValueOf(fault.test).Pointer()).Name()
		rows = append(rows, []string{fault.what, markdown.Code(test[strings.LastIndex(test, ".")+1:])})
	}
	markdown.CheckTable(t, "README.md", "faults", rows)
}
