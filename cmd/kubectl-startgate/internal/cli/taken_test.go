package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// TestSavedTimes has two pods that were saved at different times. What lasted is counted until its own pod's.
func TestSavedTimes(t *testing.T) {
	dir := unpackFixture(t, "job-kept")
	manifest, err := os.ReadFile(filepath.Join(dir, "pod.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for pod, taken := range map[string]string{"migrate-8x2kq": "2026-11-22T11:00:00Z", "migrate-zz": "2026-11-22T12:30:00Z"} {
		text := strings.NewReplacer("migrate-8x2kq", pod, "  annotations:\n", "  annotations:\n    startgate.dev/saved-at: '"+taken+"'\n").Replace(string(manifest))
		if err := os.WriteFile(filepath.Join(dir, pod+".pod.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "pod.yaml")); err != nil {
		t.Fatal(err)
	}
	out, errOut, _ := run(t, "diagnose", "-o", "json", "--from", dir)
	var all report.Report
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v: %s%s", err, out, errOut)
	}
	var got []string
	for _, pod := range all.Pods {
		_, lasted, _ := strings.Cut(pod.Verdict.Summary, " since: for ")
		got = append(got, pod.Taken.Format(time.TimeOnly)+" "+lasted)
	}
	if want := []string{"11:00:00 18m5s", "12:30:00 1h48m5s"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
