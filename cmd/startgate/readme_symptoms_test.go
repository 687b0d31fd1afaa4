package main

// These tests hold README.md's section about troubleshooting, and its list of metrics, to the
// code.

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// othersWords are symptoms that Kubernetes, the kernel, the proxy or the application shows, not
// startgate.
var othersWords = []string{
	"ECONNREFUSED", "connect: connection refused", "permission denied", "input/output error", "istio-proxy", "localhost", "Init:0/2", "Completed",
	"CrashLoopBackOff", "Back-off restarting failed container", "Startup probe failed", "Liveness probe failed",
}

// TestREADMESymptoms finds a section about a symptom that lacks a part, and words that
// startgate does not say.
func TestREADMESymptoms(t *testing.T) {
	text := strings.Join(strings.Fields(markdown.Section(t, readmeFile, "## Troubleshooting")), " ")
	sections := strings.Split(text, " ### ")[1:]
	if len(sections) < 20 {
		t.Fatalf("there are only %d sections", len(sections))
	}
	sources, number := ownSources(t), regexp.MustCompile(`\d+`)
	for _, section := range sections {
		name, rest, _ := strings.Cut(section, " **You see** ")
		symptom, rest, _ := strings.Cut(rest, " **Cause:** ")
		if cause, do, ok := strings.Cut(rest, " **Do:** "); !ok || cause == "" || do == "" {
			t.Errorf("%.30s…: it has not the parts You see, Cause, Do", section)
		}
		for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(symptom, -1) {
			words := match[1]
			if !slices.Contains(othersWords, words) && !strings.HasPrefix(words, prefix) &&
				!strings.Contains(sources, words) && !strings.Contains(sources, number.ReplaceAllString(words, "%d")) {
				t.Errorf("%s: startgate does not say %q", name, words)
			}
		}
	}
}

// ownSources returns the sources of startgate.
func ownSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*.go", "../../wait/*.go", "../../exec/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				all.Write(text)
			}
		}
	}
	return all.String()
}

// TestREADMEMetrics finds a metric that examples/monitoring does not list, and one that does
// not exist.
func TestREADMEMetrics(t *testing.T) {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.register(true)
	described := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(described)
		close(described)
	}()
	var exist []string
	for d := range described {
		exist = append(exist, regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1])
	}
	var listed []string
	table := markdown.Section(t, "../../examples/monitoring/README.md", "## The metrics")
	for _, match := range regexp.MustCompile("`(startgate_[a-z_]+)").FindAllStringSubmatch(table, -1) {
		listed = append(listed, match[1])
	}
	slices.Sort(exist)
	slices.Sort(listed)
	if !slices.Equal(exist, listed) {
		t.Errorf("the metrics are\n%q\nand the page lists\n%q", exist, listed)
	}
}
