package main

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A path is not blamed for an error that it does not give (any more).
func TestPathIsNotAtFault(t *testing.T) {
	if hint := pathHint(filepath.Join(t.TempDir(), "missing", "file"), syscall.EACCES); hint != "" {
		t.Error(hint)
	}
}
