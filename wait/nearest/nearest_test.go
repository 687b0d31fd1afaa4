package nearest_test

// This file covers which known word is found for a mistyped one.

import (
	"testing"

	"github.com/startgate/startgate/wait/nearest"
)

func TestTo(t *testing.T) {
	names := []string{"istio", "linkerd", "STARTGATE_TIMEOUT", "STARTGATE_ON_TIMEOUT", "https", "http"}
	for word, want := range map[string]string{
		"istoi":              "istio",   // neighbours swapped
		"linkrd":             "linkerd", // one missing
		"istio":              "istio",
		"STARTGATE_TIMEOUTS": "STARTGATE_TIMEOUT",
		"STARTGATE_TIMEUOT":  "STARTGATE_TIMEOUT",
		"htp":                "http",
		"traefik":            "",
		"":                   "",
		"x":                  "",
	} {
		if got := nearest.To(word, names); got != want {
			t.Errorf("To(%q) = %q, want %q", word, got, want)
		}
	}
}
