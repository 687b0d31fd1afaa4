package wait

// This file lets tests that run as root check what happens without permission.

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// asUnprivileged runs the calling test again, alone, as a user without root's access to
// files. It returns true in that process, and false in the first one when the other has
// exited.
func asUnprivileged(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	again := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$")
	again.Dir = "/"
	again.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	out, err := again.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("as user %d: %v\n%s", unprivileged, err, out)
	}
	return false
}
