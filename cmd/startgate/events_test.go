package main

// These tests hold the log to its events, and hints to the sections of README.md.

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
	"github.com/startgate/startgate/exec"
	"github.com/startgate/startgate/wait"
)

// sources returns the code of this package, by the name of its file.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		if files[path], err = parser.ParseFile(token.NewFileSet(), path, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// constants returns the values of the string constants of a file whose names begin so.
func constants(t *testing.T, file *ast.File, prefix string) map[string]string {
	t.Helper()
	values := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, prefix) && len(spec.Values) == 1 {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				values[spec.Names[0].Name], _ = strconv.Unquote(literal.Value)
			}
		}
		return true
	})
	if len(values) < 10 {
		t.Fatalf("there are only %q", values)
	}
	return values
}

// The list of events is closed: each constant is in the table, and some code logs it. No
// line is logged past it, by a text in an event's place or by a logger of another kind.
func TestEventsAreAClosedList(t *testing.T) {
	files := sources(t)
	names := constants(t, files["events.go"], "event")
	var listed []string
	for _, e := range events {
		listed = append(listed, string(e.Name))
	}
	used := map[string]bool{}
	for path, file := range files {
		if path == "events.go" {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				used[n.Name] = true
			case *ast.CallExpr:
				checkLogCall(t, path, n)
			case *ast.SelectorExpr:
				x, _ := n.X.(*ast.Ident)
				isLogger := slices.Contains([]string{"New", "Default", "With", "Debug", "Info", "Warn", "Error", "Log"}, n.Sel.Name)
				if x != nil && x.Name == "slog" && isLogger && path != "log.go" {
					t.Errorf("%s: slog.%s", path, n.Sel.Name)
				}
			}
			return true
		})
	}
	for name, value := range names {
		if !slices.Contains(listed, value) || !used[name] {
			t.Errorf("%s is in the table: %t; some code logs it: %t", name, slices.Contains(listed, value), used[name])
		}
	}
	if len(listed) != len(names) {
		t.Errorf("%d events in the table, and %d constants", len(listed), len(names))
	}
}

// checkLogCall finds a call of the log whose event is no constant.
func checkLogCall(t *testing.T, path string, call *ast.CallExpr) {
	t.Helper()
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"debug", "info", "warn", "error"}, method.Sel.Name) || len(call.Args) < 2 {
		return
	}
	switch e := call.Args[0].(type) {
	case *ast.Ident:
		ok = strings.HasPrefix(e.Name, "event")
	case *ast.CallExpr:
		f, isName := e.Fun.(*ast.Ident)
		ok = isName && f.Name == "exitEvent"
	default:
		ok = false
	}
	if !ok {
		t.Errorf("%s: %s is called without an event", path, method.Sel.Name)
	}
}

// troubles are the sections about a symptom that README.md has.
var troubles = []string{
	"connection-refused-at-the-start", "not-injected", "not-in-a-pod", "the-sidecar-is-not-ready", "the-status-port-has-moved",
	"an-init-container-that-waits", "it-answered-before-and-is-gone", "a-name-is-not-resolved", "no-answer-at-all",
	"connection-refused-while-waiting", "accepted-and-closed", "the-server-speaks-tls", "the-server-is-not-ready", "the-file-does-not-appear",
	"a-file-system-does-not-answer", "a-job-does-not-end", "code-124", "code-125", "code-126-or-127", "code-143-instead-of-124",
	"term-is-ignored", "a-slow-start-without-a-mesh", "uid-1337",
}

// Each hint leads to a section that exists, and so does each address that is promised.
func TestHintsLeadToREADME(t *testing.T) {
	_, section, _ := strings.Cut(markdown.Read(t, readmeFile), "\n## Troubleshooting\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var there []string
	for _, heading := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(section, -1) {
		there = append(there, strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-"))
	}
	for _, anchor := range troubles {
		if !slices.Contains(there, anchor) {
			t.Errorf("README.md has no heading for #%s", anchor)
		}
	}
	for name, anchor := range constants(t, sources(t)["hint.go"], "anchor") {
		if !slices.Contains(troubles, anchor) {
			t.Errorf("%s leads to #%s, which is not promised", name, anchor)
		}
	}
}

// A hint that does not change was once repeated in every line. Its text comes again after
// five minutes, and at once when another hint has taken its place.
func TestHintIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &progress{
			gate: &gate{log: newLog(&log, settings{})}, began: time.Now(),
			last: wait.Answer{Outcome: wait.Refused}, target: wait.Target{Name: "tcp://db:1"},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 13*time.Minute)
		defer cancel()
		time.AfterFunc(700*time.Second, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.last = wait.Answer{Outcome: wait.Timeout, Err: context.DeadlineExceeded}
		})
		p.logMilestones(ctx)
		var full []string
		for line := range strings.Lines(log.String()) {
			at := regexp.MustCompile(`elapsed=(\S+)`).FindStringSubmatch(line)[1]
			isEarly := slices.Contains([]string{"1s", "2s", "5s"}, at)
			if strings.Contains(line, " hint=") {
				full = append(full, at)
			}
			if strings.Contains(line, " docs=https://github.com/startgate/startgate#") == isEarly {
				t.Errorf("an address, or none: %s", line)
			}
		}
		if want := []string{"10s", "5m30s", "10m30s", "12m"}; !slices.Equal(full, want) {
			t.Errorf("the text is there after %v, want %v:\n%s", full, want, &log)
		}
	})
}

// Of each sidecar and kind of end the log has an address.
func TestEveryEndHasAnAddress(t *testing.T) {
	for _, sidecar := range wait.Sidecars() {
		if h := hintQuit(wait.Target{Sidecar: &sidecar}); h.text == "" || h.anchor != anchorQuit {
			t.Errorf("%s: %v", sidecar.Name, h)
		}
	}
	for _, test := range []struct {
		err    error
		event  event
		anchor string
	}{
		{context.DeadlineExceeded, eventGaveUp, anchorTimeout},
		{errHeld, eventGaveUp, anchorTimeout},
		{hintedError{error: context.DeadlineExceeded, hint: hint{"text", anchorFile}}, eventGaveUp, anchorFile},
		{hintedError{error: context.DeadlineExceeded}, eventGaveUp, anchorTimeout},
		{settingsError{error: usageErrorf("x")}, eventFailed, anchorFailed},
		{&exec.ExitError{Code: exec.CodeCannotRun}, eventFailed, anchorNotRun},
		{&exec.ExitError{Code: exec.CodeNotFound}, eventFailed, anchorNotRun},
		{&exec.SignalError{Signal: 15}, eventStopped, anchorStopped},
	} {
		if e, h := exitEvent(test.err), hintOf(test.err); e != test.event || h.anchor != test.anchor {
			t.Errorf("%T %v: %s, %q", test.err, test.err, e, h)
		}
	}
}
