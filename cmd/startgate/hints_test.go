package main

// These tests cover hints whose search for a cause could take too long.

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/startgate/startgate/wait"
)

// Where the status port refuses and the queue of who listens on 15021 is full, the
// hint once took two minutes, and neither STARTGATE_TIMEOUT nor a signal ended that.
func TestHintIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := wait.ProbeFunc(func(ctx context.Context) wait.Answer {
			<-ctx.Done()
			return wait.Answer{Outcome: wait.Timeout}
		})
		target := wait.Target{Sidecar: &wait.Sidecar{EarlyKnock: "localhost:15021"}, EarlyKnock: []wait.Prober{hangs}}
		waitState{target: target, last: wait.Answer{Outcome: wait.Refused}}.hint(context.Background())
	})
}
