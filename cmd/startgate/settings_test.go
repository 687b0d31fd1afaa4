package main

// These tests cover how settings are read from the environment.

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kelseyhightower/envconfig"
)

// The names, defaults and meanings are those that envconfig finds.
func TestDescribeSettings(t *testing.T) {
	var want strings.Builder
	row := "{{range .}}{{usage_key .}}\t{{usage_default .}}\t{{usage_description .}}\n{{end}}"
	if err := envconfig.Usagef(prefix, new(settings), &want, row); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, s := range describeSettings() {
		got.WriteString(s.Name + "\t" + s.Default + "\t" + s.Meaning + "\n")
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Errorf("(-envconfig +describeSettings)\n%s", diff)
	}
}
