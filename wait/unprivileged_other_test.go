//go:build !linux

package wait

// This file replaces unprivileged_linux_test.go on other systems.

import "testing"

// asUnprivileged does nothing: there is no way to change the user of one thread.
func asUnprivileged(*testing.T, func()) {}
