package cli

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/report"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

// TestREADME checks what is generated in the README, or writes it.
func TestREADME(t *testing.T) {
	const path = "../../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out, _, _ := run(t, "diagnose", "--from", unpackFixture(t, "startup-race"))
	table := "| verdict | meaning |\n| --- | --- |\n"
	for _, v := range verdict.All {
		table += fmt.Sprintf("| `%s` | %s |\n", v.Name, v.Meaning)
	}
	want := replaceBlock(t, string(text), "example", "\n```text\n"+out+"```\n\n")
	want = replaceBlock(t, want, "verdicts", "\n"+table+"\n")
	switch {
	case *update:
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case want != string(text):
		t.Error("README.md is not up to date: go test ./internal/cli -run README -update")
	}
}

// replaceBlock replaces what is between the markers of a block.
func replaceBlock(t *testing.T, text, name, body string) string {
	t.Helper()
	head, rest, ok := strings.Cut(text, "<!-- "+name+" -->\n")
	_, tail, ends := strings.Cut(rest, "<!-- /"+name+" -->\n")
	if !ok || !ends {
		t.Fatalf("README.md has no block %s", name)
	}
	return head + "<!-- " + name + " -->\n" + body + "<!-- /" + name + " -->\n" + tail
}

// TestVerdicts checks that there is a fixture of each verdict.
func TestVerdicts(t *testing.T) {
	seen := map[verdict.Name]bool{}
	for _, path := range fixtures(t) {
		comment, _, _ := strings.Cut(string(readFixture(t, path).Comment), "\n")
		seen[verdict.Name(comment)] = true
	}
	for _, v := range verdict.All {
		if !seen[v.Name] {
			t.Errorf("no fixture of %s", v.Name)
		}
		delete(seen, v.Name)
	}
	for name := range seen {
		t.Errorf("%s is not described", name)
	}
}

// TestSchema checks that the README has each field of the JSON.
func TestSchema(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []any{report.Verdict{}, report.Entry{}, report.Cure{}, evidence.Gap{}, report.Workload{}} {
		fields := reflect.TypeOf(of)
		for i := range fields.NumField() {
			name, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("README.md has not the field %s of %s", name, fields.Name())
			}
		}
	}
}
