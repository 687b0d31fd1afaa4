package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestLogGone has the answer of a kubelet that has removed a container: a log with one line of its own.
func TestLogGone(t *testing.T) {
	for log, want := range map[string]string{
		"web/previous": "cannot tell: missing: the log of the run before: web was restarted once\n",
		"web":          "startup race: web was refused once before istio-proxy was ready",
	} {
		server := newAPIServer(t, "language-go", deployment)
		server.logs[log] = "unable to retrieve container logs for containerd://60df626ef1f6e75aacb79736c66c682e26b876239c9137ec1f655c591e35178e"
		if out, _, _ := server.run(t, "diagnose", "deploy/web"); !strings.HasPrefix(out, want) {
			t.Errorf("without the log of %s:\n%s", log, out)
		}
	}
}

// TestLogEmpty has an application that says nothing. That is not a log that is missing.
func TestLogEmpty(t *testing.T) {
	for logs, want := range map[string]string{
		"web/previous web": "cannot tell: missing: why web was restarted: its log tells of no failed connection\n",
		"web":              "startup race: web was refused once before istio-proxy was ready",
	} {
		server := newAPIServer(t, "language-go", deployment)
		for _, log := range strings.Fields(logs) {
			server.logs[log] = ""
		}
		if out, _, _ := server.run(t, "diagnose", "deploy/web"); !strings.HasPrefix(out, want) {
			t.Errorf("with an empty log of %s:\n%s", logs, out)
		}
	}
	server := newAPIServer(t, "silent")
	server.logs["web"] = ""
	if out, _, _ := server.run(t, "diagnose", "web-7d4b9c-x2x7k"); !strings.HasPrefix(out, "cannot tell: missing: a line of web: its log is empty\n") {
		t.Errorf("%s", out)
	}
}

// TestSaveOutside: names of an export do not lead out of the folder.
func TestSaveOutside(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "saved")
	export := `{"timestamp":"2026-11-22T10:41:15Z","textPayload":"x","resource":{"labels":{"pod_name":"../../evil","container_name":"web","namespace_name":"shop"}}}`
	write(t, filepath.Join(dir, "export.json"), export)
	_, errOut, code := run(t, "diagnose", "--from", dir, "--save", to)
	if want := "kubectl startgate: cannot save: \"../../evilweb\" is no name of a pod and a container\n"; code != CodeFailed || errOut != want {
		t.Errorf("code %d, %q", code, errOut)
	}
}
