package cli

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/report"
)

// TestSavedTime has the time of the evidence as exactly in the files as in the cluster: durations are counted until
// then.
func TestSavedTime(t *testing.T) {
	server, dir := newAPIServer(t, "job-kept"), filepath.Join(t.TempDir(), "saved")
	live, _, _ := server.run(t, "diagnose", "migrate-8x2kq", "-o", "json", "--save", dir)
	saved, _, _ := run(t, "diagnose", "-o", "json", "--from", dir)
	var reports [2]report.Report
	for i, text := range []string{live, saved} {
		if err := json.Unmarshal([]byte(text), &reports[i]); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	if a, b := reports[0].Pods[0].Taken, reports[1].Pods[0].Taken; !a.Equal(*b) {
		t.Errorf("taken at %v, saved as %v", a, b)
	}
}
