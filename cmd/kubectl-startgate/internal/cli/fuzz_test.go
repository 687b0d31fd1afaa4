package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzFiles: whatever the files hold, there is an answer.
func FuzzFiles(f *testing.F) {
	for _, path := range fixtures(f) {
		files := map[string]string{}
		for _, file := range readFixture(f, path).Files {
			files[filepath.Ext(file.Name)] += string(file.Data)
		}
		f.Add(files[".yaml"], files[".log"], files[".json"]+files[".jsonl"])
	}
	f.Add(`{"kind":"Event","involvedObject":{"kind":"Pod","name":"p"},"reason":"Killing","message":"Container "}`, "", "")
	f.Fuzz(func(t *testing.T, manifests, log, export string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"objects.yaml": manifests, "p.web.log": log, "export.json": export} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, output := range []string{"text", "json", "markdown", "kustomize"} {
			if _, _, code := run(t, "diagnose", "--from", dir, "-o", output); code < CodeHealthy || code > CodeUndecided {
				t.Errorf("code %d", code)
			}
		}
	})
}
