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
		"<html>\n<p>It works: 1\n":                                             {-1, -1},
		"http.update_success: 1\n":                                             {-1, -1},
		"cluster_manager.cds.update_success: many\n":                           {-1, -1},
		"cluster_manager.cds.update_success: 1\n<html>\n":                      {-1, -1},
		"cluster_manager.cds.update_success: 1\n" + strings.Repeat("x", 1<<17): {-1, -1},
	} {
		if accepted, rejected := countUpdates(strings.NewReader(text)); accepted != want[0] || rejected != want[1] {
			t.Errorf("%.80q: %d, %d, want %v", text, accepted, rejected, want)
		}
	}
	broken := io.MultiReader(strings.NewReader("cluster_manager.cds.update_success: 1\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if accepted, rejected := countUpdates(broken); accepted != -1 || rejected != -1 {
		t.Errorf("half of it: %d, %d", accepted, rejected)
	}
}
