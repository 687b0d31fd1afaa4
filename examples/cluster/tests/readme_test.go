package tests

import (
	"os"
	"strings"
	"testing"
)

// readmeCommands returns the block of commands of the README that has this text.
func readmeCommands(t testing.TB, text string) []string {
	t.Helper()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(readme), "```sh\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if strings.Contains(block, text) {
			return strings.Split(strings.TrimSpace(block), "\n")
		}
	}
	t.Fatalf("the README has no commands with %q", text)
	return nil
}
