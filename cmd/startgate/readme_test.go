package main

import (
	"cmp"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/startgate/startgate/wait"
)

var update = flag.Bool("update", false, "rewrite the generated tables of README.md")

const readmeFile = "../../README.md"

// readme is what a user reads.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestREADMETables finds a table that differs from the code. Rewrite them with
//
//	go test ./cmd/startgate -run README -update
func TestREADMETables(t *testing.T) {
	for name, table := range map[string]string{
		"settings": settingsTable(),
		"codes":    codesTable(),
		"sidecars": sidecarsTable(),
	} {
		checkTable(t, name, table)
	}
}

// checkTable compares a table of README.md, or writes it there.
func checkTable(t *testing.T, name, table string) {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n\n", "\n<!-- /"+name+" -->\n"
	before, rest, found := strings.Cut(readme(t), begin)
	got, after, closed := strings.Cut(rest, end)
	switch {
	case !found || !closed:
		t.Errorf("README.md has no %s%s", begin, end)
	case got == table:
	case !*update:
		t.Errorf("the table of %s differs from the code; -update writes it. It should be\n%s", name, table)
	default:
		if err := os.WriteFile(readmeFile, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func settingsTable() string {
	rows := [][]string{{"variable", "default", "meaning"}}
	for _, s := range settings() {
		rows = append(rows, []string{code(s.Name), code(s.Default), s.Meaning})
	}
	return markdown(rows)
}

func codesTable() string {
	rows := [][]string{{"code", "meaning"}}
	for _, c := range codes {
		rows = append(rows, []string{c.Code, c.Meaning})
	}
	return markdown(rows)
}

func sidecarsTable() string {
	rows := [][]string{{"name", "ready URL", "also knocked at", "if it does not answer", "told to quit at", "if it does not accept that"}}
	for _, s := range wait.Sidecars() {
		ready := code(strings.Join(s.Ready, "` or `"))
		rows = append(rows, []string{code(s.Name), ready, code(s.Knock), cmp.Or(s.Refused, s.Note), code(s.Quit), s.Unquit})
	}
	return markdown(rows)
}

// markdown makes a table of rows, the first of which is its head.
func markdown(rows [][]string) string {
	var table strings.Builder
	for i, row := range rows {
		for _, cell := range row {
			table.WriteString("| ")
			if cell != "" {
				table.WriteString(strings.ReplaceAll(cell, "|", `\|`) + " ")
			}
		}
		table.WriteString("|\n")
		if i == 0 {
			table.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
		}
	}
	return table.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// TestREADMESettings finds a setting that does not exist, and one that nobody is
// told of.
func TestREADMESettings(t *testing.T) {
	mentioned := regexp.MustCompile(`STARTGATE_\w+`).FindAllString(readme(t), -1)
	var known []string
	for _, s := range settings() {
		known = append(known, s.Name)
		if !slices.Contains(mentioned, s.Name) {
			t.Errorf("%s is not mentioned", s.Name)
		}
	}
	for _, name := range mentioned {
		if !slices.Contains(known, name) {
			t.Errorf("%s is no setting", name)
		}
	}
}

// blocks returns the fenced blocks of a language, without their indentation.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^( *)```" + language + "\n(.*?)^ *```$")
	var found []string
	for _, match := range fence.FindAllStringSubmatch(readme(t), -1) {
		found = append(found, regexp.MustCompile("(?m)^"+match[1]).ReplaceAllString(match[2], ""))
	}
	if len(found) == 0 {
		t.Fatalf("README.md has no block of %s", language)
	}
	return found
}

// TestREADMECommands finds a command that a shell cannot read, and a flag or a
// package that does not exist.
func TestREADMECommands(t *testing.T) {
	need(t, "sh")
	for _, block := range blocks(t, "sh") {
		check := exec.Command("sh", "-n")
		check.Stdin = strings.NewReader(block)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("sh -n: %v: %s\n%s", err, out, block)
		}
		for _, path := range regexp.MustCompile(`\./[\w/]+`).FindAllString(block, -1) {
			if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
				t.Error(err)
			}
		}
		for _, args := range regexp.MustCompile(`(?m)^startgate ([^#\n]+)`).FindAllStringSubmatch(block, -1) {
			if _, err := parseArgs(strings.Fields(args[1])); err != nil {
				t.Errorf("startgate %s: %v", args[1], err)
			}
		}
	}
}

// TestREADMEManifests finds a tab, which YAML does not allow. More would need a
// parser, and no dependency of this module has one.
func TestREADMEManifests(t *testing.T) {
	for _, block := range blocks(t, "yaml") {
		if strings.Contains(block, "\t") {
			t.Errorf("a tab in\n%s", block)
		}
	}
}

// TestREADMECode finds an example that does not compile.
func TestREADMECode(t *testing.T) {
	for _, block := range blocks(t, "go") {
		file := filepath.Join(t.TempDir(), "example.go")
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("go vet: %v: %s", err, out)
		}
	}
}

// TestREADMELogLine compares the example of the hand-over with the real line: its keys
// in their order, and the form of its values.
func TestREADMELogLine(t *testing.T) {
	example := strings.TrimSpace(blocks(t, "json")[0])
	url := readyServer(t)
	log := outputOf(t, []string{"PATH=" + os.Getenv("PATH"), "STARTGATE_LOG_FORMAT=json", "STARTGATE_WAIT_FOR=" + url}, "true")
	lines := strings.Split(strings.TrimSpace(log), "\n")
	// What the real wait has nothing of is not in its line.
	example = regexp.MustCompile(`"(not_ready|refused)":\d+,`).ReplaceAllString(example, "")
	form := func(line string) string {
		line = regexp.MustCompile(`"time":"[^"]+"`).ReplaceAllString(line, `"time":""`)
		line = regexp.MustCompile(`:[0-9.]+`).ReplaceAllString(line, ":0")
		return regexp.MustCompile(`starting \S+?"`).ReplaceAllString(line, `starting"`)
	}
	if got := lines[len(lines)-1]; form(got) != form(example) {
		t.Errorf("the line is\n%s\nand README.md has\n%s", got, example)
	}
}

// TestREADMEFilter finds a line of startgate's own that the README's filter takes for
// the application's.
func TestREADMEFilter(t *testing.T) {
	need(t, "grep", "sh")
	_, filter, found := strings.Cut(readme(t), "kubectl logs POD -c app --timestamps | ")
	filter, _, _ = strings.Cut(filter, "\n")
	if !found {
		t.Fatal("README.md has no filter of an application's log")
	}
	refused := "STARTGATE_WAIT_FOR=tcp://127.0.0.1:1"
	log := outputOf(t, []string{
		"PATH=" + os.Getenv("PATH"), refused, "STARTGATE_QUIT=http://127.0.0.1:1/quit", "STARTGATE_TIMEOUT=1100ms", "STARTGATE_QUIT_TIMEOUT=100ms",
	}, "true")
	log += outputOf(t, []string{"PATH=" + os.Getenv("PATH"), refused, "STARTGATE_TIMEOUT=100ms", "STARTGATE_ON_TIMEOUT=start"}, "true")
	const own = "connection refused"
	if strings.Count(log, own) < 6 {
		t.Errorf("the log has too few lines of %s to show anything:\n%s", own, log)
	}
	for text, want := range map[string]int{log: 0, log + "dial tcp 10.0.0.1:6379: connect: connection refused\n": 1} {
		cmd := exec.Command("sh", "-c", filter)
		cmd.Stdin = strings.NewReader(text)
		if out, _ := cmd.Output(); strings.Count(string(out), "\n") != want {
			t.Errorf("%s\nfinds\n%s", filter, out)
		}
	}
}

// TestREADMEMovingOver finds settings of the tables for users of other wrappers that
// startgate does not accept.
func TestREADMEMovingOver(t *testing.T) {
	_, section, _ := strings.Cut(readme(t), "## Moving over\n")
	section, _, _ = strings.Cut(section, "\n## ")
	assignments := regexp.MustCompile("`(STARTGATE_[A-Z_]+=[^`]+)`").FindAllStringSubmatch(section, -1)
	if len(assignments) < 10 {
		t.Fatalf("README.md has only %q", assignments)
	}
	for _, match := range assignments {
		out := outputOf(t, []string{match[1]}, "--check")
		if name, _, _ := strings.Cut(match[1], "="); !strings.Contains(out, name) || strings.Contains(out, match[1]+":") || strings.Contains(out, "startgate: ") {
			t.Errorf("%s: %s", match[1], out)
		}
	}
}

// TestREADMELogPatterns finds a pattern for Cloud Logging that no real line has, and
// that of who gave up in a line of who was ended.
func TestREADMELogPatterns(t *testing.T) {
	need(t, "timeout")
	settings := []string{
		"PATH=" + os.Getenv("PATH"), "STARTGATE_LOG_FORMAT=json", "STARTGATE_WAIT_FOR=tcp://127.0.0.1:1",
		"STARTGATE_QUIT=http://127.0.0.1:1/quit", "STARTGATE_TIMEOUT=1100ms", "STARTGATE_QUIT_TIMEOUT=100ms",
	}
	gaveUp := outputOf(t, settings, "true")
	started := outputOf(t, append(settings, "STARTGATE_ON_TIMEOUT=start"), "true")
	cmd := exec.CommandContext(t.Context(), "timeout", "--signal=TERM", "0.5", binary, "true")
	cmd.Env = settings
	ended, _ := cmd.CombinedOutput()
	messages := func(log string) (found []string) {
		for _, match := range regexp.MustCompile(`"message":"((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(log, -1) {
			found = append(found, match[1])
		}
		return found
	}
	patterns := regexp.MustCompile(`jsonPayload\.message=~"([^"]+)"`).FindAllStringSubmatch(readme(t), -1)
	if len(patterns) < 5 {
		t.Fatalf("README.md has only %q", patterns)
	}
	for _, match := range patterns {
		pattern := regexp.MustCompile(strings.ReplaceAll(match[1], `\|`, "|"))
		if !slices.ContainsFunc(messages(gaveUp+started+string(ended)), pattern.MatchString) {
			t.Errorf("no line has %s:\n%s%s%s", pattern, gaveUp, started, ended)
		}
	}
	isGivenUp := func(m string) bool {
		return strings.Contains(m, " not ready after ") && !strings.Contains(m, "ended by SIG")
	}
	for log, want := range map[string]bool{gaveUp: true, started: true, string(ended): false} {
		if slices.ContainsFunc(messages(log), isGivenUp) != want {
			t.Errorf("who gave up is found: %t in\n%s", !want, log)
		}
	}
}
