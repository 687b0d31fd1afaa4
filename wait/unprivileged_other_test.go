//go:build !linux

package wait

import "testing"

// asUnprivileged would do what must fail for want of permission.
func asUnprivileged(*testing.T, func()) {}
