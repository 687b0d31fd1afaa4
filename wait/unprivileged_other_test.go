//go:build !linux

package wait

// This file replaces unprivileged_linux_test.go on other systems.

import (
	"os"
	"testing"
)

// asUnprivileged returns whether this user is unprivileged.
func asUnprivileged(*testing.T) bool { return os.Getuid() != 0 }
