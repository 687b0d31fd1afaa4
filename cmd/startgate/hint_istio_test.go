package main

// This test covers the counters of Envoy.

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Only what is Envoy's is counted. A page of another program once was no configuration.
func TestCountUpdates(t *testing.T) {
	for text, want := range map[string][2]int{
		"": {0, 0},
		"cluster_manager.cds.update_success: 2\nlistener_manager.lds.update_success: 1\n":   {3, 0},
		"cluster_manager.cds.update_rejected: 1\nlistener_manager.lds.update_rejected: 4\n": {0, 5},
	} {
		if accepted, rejected, err := countUpdates(strings.NewReader(text)); accepted != want[0] || rejected != want[1] || err != nil {
			t.Errorf("%q: %d, %d, %v, want %v", text, accepted, rejected, err, want)
		}
	}
	for _, text := range []string{
		"<html>\n<p>It works: 1\n",
		"http.update_success: 1\n",
		"cluster_manager.cds.update_success: many\n",
		"cluster_manager.cds.update_success: 1\n<html>\n",
		"cluster_manager.cds.update_success: 1\n" + strings.Repeat("x", 1<<17),
	} {
		if _, _, err := countUpdates(strings.NewReader(text)); err == nil {
			t.Errorf("%.80q: no error", text)
		}
	}
	broken := io.MultiReader(strings.NewReader("cluster_manager.cds.update_success: 1\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, _, err := countUpdates(broken); err == nil {
		t.Error("half of it: no error")
	}
}
