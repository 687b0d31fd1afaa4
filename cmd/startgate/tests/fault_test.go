//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFaults sees each line of the table happen.
func TestFaults(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.what, func(t *testing.T) {
			t.Parallel()
			fault.test(t)
		})
	}
}

// buildFault compiles testdata/fault.c once for all tests.
var buildFault = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(filepath.Dir(binary), "fault")
	out, err := exec.Command("cc", "-O1", "-static", "-o", path, "testdata/fault.c").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("cannot compile: %w\n%s", err, out)
	}
	return path, err
})

// faultProgram returns the path of the compiled testdata/fault.c.
func faultProgram(t testing.TB) string {
	t.Helper()
	need(t, "cc")
	path, err := buildFault()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The settings of the two modes.
const (
	replaces   = "SUPERVISE=false"
	supervises = "SUPERVISE=true"
	quitsIstio = "QUIT=istio"
)

// struck starts startgate with these settings, without the prefix, in front of the
// application of these tests. through is a command that becomes startgate.
func struck(t testing.TB, settings []string, through ...string) *init1 {
	t.Helper()
	argv := append(through, binary, "--", faultProgram(t), "app")
	return begins(t, settings, argv...)
}

// begins starts a command with these settings.
func begins(t testing.TB, settings []string, argv ...string) *init1 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, setting := range settings {
		cmd.Env = append(cmd.Env, "STARTGATE_"+setting)
	}
	i := begin(t, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s\n%s%s", cmd, i.out, i.log)
		}
	})
	return i
}

// inModes runs a test with the setting of each of these modes, in a network of its
// own.
func inModes(t *testing.T, modes []string, test func(t *testing.T, mode string)) {
	t.Helper()
	need(t, "root")
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			test(t, mode)
		})
	}
}

// starts waits for the application, and checks that it started once, that a signal
// reaches it, and that its code is startgate's.
func (i *init1) starts() {
	i.Helper()
	i.out.until(i, "ready,")
	i.send(unix.SIGTERM)
	i.ends(42)
	if out := i.out.String(); strings.Count(out, "ready,") != 1 || strings.Count(out, "got TERM") != 1 {
		i.Errorf("the application says\n%s", out)
	}
}

// yields sends TERM, which ends the wait.
func (i *init1) yields() {
	i.Helper()
	i.send(unix.SIGTERM)
	i.ends(128 + int(unix.SIGTERM))
	i.tells("ended by SIGTERM")
	if out := i.out.String(); out != "" {
		i.Errorf("the application was started, and says\n%s", out)
	}
}

// tells checks that the log has these texts.
func (i *init1) tells(texts ...string) {
	i.Helper()
	for _, text := range texts {
		if !strings.Contains(i.log.String(), text) {
			i.Errorf("the log does not say %q", text)
		}
	}
}
