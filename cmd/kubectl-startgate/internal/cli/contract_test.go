package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
)

// TestContract: the events of startgate and its sidecars are those of startgate itself, in this repository.
func TestContract(t *testing.T) {
	theirs := matches(t, "../../../startgate/events.go", `event = "(\w+)"`)
	for _, event := range matches(t, "../timeline/gate.go", `Gate\w+ += "(\w+)"`) {
		if !slices.Contains(theirs, event) {
			t.Errorf("startgate has no event %s, only %s", event, theirs)
		}
	}
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(readme)) {
		if name := regexp.MustCompile("^\\| `(\\w+)` \\| ").FindStringSubmatch(line); name != nil {
			rows[name[1]] = line
		}
	}
	for _, kind := range sidecar.Kinds {
		if row, ok := rows[kind.Name]; !ok || !strings.Contains(row, kind.Injected) {
			t.Errorf("the README's table of sidecars has not %s with %q: %q", kind.Name, kind.Injected, row)
		}
	}
}

func matches(t *testing.T, path, pattern string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("nothing like %s in %s", pattern, path)
	}
	return found
}
