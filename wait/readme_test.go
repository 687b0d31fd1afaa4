package wait

// This test holds README.md's table of targets to the schemes that there are.

import (
	"os"
	"strings"
	"testing"
)

func TestREADMEHasAllSchemes(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| target | ready when |")
	table, _, _ = strings.Cut(table, "\n\n")
	for scheme := range schemes {
		if !strings.Contains(table, "`"+scheme+"://") {
			t.Errorf("README.md's table of targets has no %s://", scheme)
		}
	}
}
