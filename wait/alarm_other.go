//go:build !linux

package wait

import (
	"context"
	"time"
)

// alarm does nothing: on this system Go's timers do.
type alarm struct{}

func (a *alarm) sleep(context.Context, time.Duration) (ok bool) { return false }
func (a *alarm) close()                                         {}
