package node

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// Who waits for a lock, as while another process builds Kubernetes, goes on when that is done, and ends when asked to.
func TestLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lock(short, file); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a lock that another has: %v", err)
	}
	go unlock()
	if _, err := lock(t.Context(), file); err != nil {
		t.Error(err)
	}
}
