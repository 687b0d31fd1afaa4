package cli

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/report"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

// withoutManifest are fixtures whose verdict the pod's manifest decides. Without it the order of the times looks like
// the startup race, and the verdict must not be sure.
var withoutManifest = []string{"hold-ran-out-slow", "native-no-probe", "uid-1337", "restarted-unknown", "restarted-collected", "healthy-retries-late", "shutdown-race-retried"}

// TestLessEvidence takes a file of each fixture away. What is left may not be enough, but it must not show a problem
// that the whole does not show: that would be a guess.
func TestLessEvidence(t *testing.T) {
	for _, path := range fixtures(t) {
		fixture := strings.TrimSuffix(filepath.Base(path), ".txtar")
		archive := readFixture(t, path)
		whole, _ := verdictsOf(t, archive)
		for i, file := range archive.Files {
			if strings.HasPrefix(file.Name, "want") || len(archive.Files) == 2 {
				continue
			}
			less := &txtar.Archive{Files: slices.Delete(slices.Clone(archive.Files), i, i+1)}
			got, isSure := verdictsOf(t, less)
			isRace := file.Name == "pod.yaml" && slices.Contains(withoutManifest, fixture) && got[0] == verdict.StartupRace && !isSure
			isWait := got[0] == verdict.Gated && slices.Contains(whole, verdict.InitDeadlock) // it waits; why in vain, the manifest says
			if !slices.Contains(append(whole, verdict.CannotTell), got[0]) && !isRace && !isWait {
				t.Errorf("%s without %s: %s, and with it: %s", fixture, file.Name, got, whole)
			}
		}
	}
}

// verdictsOf returns all verdicts, and whether the first is sure.
func verdictsOf(t *testing.T, archive *txtar.Archive) (names []verdict.Name, isSure bool) {
	t.Helper()
	out, errOut, _ := run(t, "diagnose", "-o", "json", "--from", unpack(t, archive))
	var all report.Report
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v: %s%s", err, out, errOut)
	}
	for _, pod := range all.Pods {
		for _, v := range append([]report.Verdict{pod.Verdict}, pod.Also...) {
			names = append(names, v.Name)
		}
	}
	return names, all.Pods[0].Verdict.Sure
}
