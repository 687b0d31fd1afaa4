//go:build linux

package podtest

// startgate --release by podman exec, as by kubectl exec.

import (
	"os"
	"strings"
	"testing"
)

// The container of a pod is released, and not the one beside it. The pod's containers share
// the names of abstract sockets.
func TestReleaseByExec(t *testing.T) {
	needPods(t)
	settings := []string{"STARTGATE_WAIT_FOR=file:///missing", "STARTGATE_TIMEOUT=0"}
	manifest := singlePod(settings, "echo working; "+worksForever)
	beside := shell("beside", "echo working; "+worksForever)
	setEnv(beside, settings...)
	addContainer(manifest, beside)
	p := startPod(t, manifest)
	for _, name := range []string{"app", "beside"} {
		p.waitForLog(name, "still waiting for file:///missing", 2) // after 1 s and 2 s
	}
	if out, err := host.run("podman", "exec", "--user", "65534", p.container("app").id, "/startgate", "--release"); err == nil || !strings.Contains(err.Error(), "may release it") {
		t.Errorf("another user: %s, %v", out, err)
	}
	if text, err := os.ReadFile(p.container("app").message); err != nil || len(text) > 0 {
		t.Errorf("the container's termination message is %q, %v", text, err)
	}
	if out, err := host.run("podman", "exec", p.container("app").id, "/startgate", "--release"); err != nil {
		t.Errorf("%s: %v", out, err)
	}
	p.waitForLog("app", "working", 1)
	p.checkLog("app", "event=released")
	if log := p.log("beside"); strings.Contains(log, "working") || strings.Contains(log, "released") {
		t.Errorf("beside:\n%s", log)
	}
}
