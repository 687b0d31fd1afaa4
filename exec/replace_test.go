package exec

// This file tests the failures of Replace; cmd/startgate/tests covers its success.

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestReplaceReturnsOnFailure(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "denied", "#!/bin/sh\n", 0o644)
	writeFile(t, "binary", "\x01\x00", 0o755)
	// An ELF header of a machine on which Go does not run: class, data, version,
	// then type (executable) and machine (SPARC).
	writeFile(t, "sparc", "\x7fELF\x01\x02\x01"+strings.Repeat("\x00", 9)+"\x00\x02\x00\x02\x00\x00\x00\x01"+strings.Repeat("\x00", 28), 0o755)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	self[16], self[17] = 1, 1 // its type, in either byte order: neither executable nor shared
	writeFile(t, "object", string(self), 0o755)
	for _, test := range []struct {
		path string
		code int
		text string
	}{
		{"./none", 127, "cannot run ./none: no such file or directory"},
		{"./denied", 126, "cannot run ./denied: permission denied; is its mode executable"},
		{"./binary", 126, "cannot run ./binary: not a program"},
		{"./sparc", 126, "cannot run ./sparc: built for SPARC, which does not run on " + runtime.GOARCH + "; is it the image of another platform?"},
		{"./object", 126, "cannot run ./object: the kernel does not run it, though it is built for " + runtime.GOARCH},
	} {
		err := Replace(Program{Path: test.path, Args: []string{test.path}}, nil)
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != test.code || !strings.HasPrefix(err.Error(), test.text) {
			t.Errorf("Replace %s: %v, want %d: %s", test.path, err, test.code, test.text)
		}
	}
}

func TestReplaceDoesNotStartAfterASignal(t *testing.T) {
	// Not by Catch: Replace makes what is caught default for all of this process.
	s := &Signals{arrived: make(chan os.Signal, 1), ending: []syscall.Signal{syscall.SIGUSR1}}
	s.arrived <- syscall.SIGUSR1
	err := Replace(Program{Path: "/bin/false", Args: []string{"false"}}, s)
	var end *SignalError
	if !errors.As(err, &end) || end.Signal != syscall.SIGUSR1 {
		t.Errorf("Replace = %v, want the signal", err)
	}
}
