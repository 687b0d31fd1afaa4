//go:build linux

package tests

// Faults: what a sidecar does besides getting ready.

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

func flaps(t *testing.T) {
	inModes(t, []string{modeReplace, modeSupervise}, func(t *testing.T, mode string) {
		var may atomic.Bool
		var readied atomic.Int64
		a := newSidecar(t, agentAddr)
		a.answer = func(s *sidecar, conn net.Conn) {
			code := 503
			if may.Load() && s.asked.Load()%3 == 0 {
				readied.Add(1)
				code = 200
			}
			status(code, "")(s, conn)
		}
		p := startFault(t, []string{mode})
		p.untilLog("connection refused")
		round := 0
		eventually(t, "the application", func() bool {
			if round++; round > 20 {
				may.Store(true)
			}
			a.listen()
			time.Sleep(20 * time.Millisecond) // the flapping itself, as below
			a.refuse()
			time.Sleep(5 * time.Millisecond)
			return p.out.String() != ""
		})
		if readied.Load() == 0 {
			t.Error("the application started before the sidecar was ready")
		}
		p.runsOnce()
		p.logHas("status 503", "istio is ready")
	})
}

func readyOnce(t *testing.T) {
	inModes(t, []string{modeReplace, modeSupervise}, func(t *testing.T, mode string) {
		const once = 5
		a := newSidecar(t, agentAddr)
		a.answer = statuses(503, 503, 503, 503, 200, 503)
		a.listen()
		p := startFault(t, []string{mode, "BACKOFF_MAX=50ms"})
		p.runsOnce()
		if asked := a.asked.Load(); asked != once {
			t.Errorf("the sidecar was asked %d times, want %d", asked, once)
		}
	})
}

func restarts(t *testing.T) {
	inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
		a := newSidecar(t, agentAddr)
		p := startFault(t, []string{mode, "BACKOFF_MAX=50ms"})
		p.untilLog("connection refused")
		for range 2 {
			a.listen()
			a.untilAskedAgain()
			a.refuse()
		}
		a.getReady(0)
		p.untilLog("connection refused")
		a.listen()
		p.runsOnce()
		p.logHas("connection refused", "status 503", "istio is ready")
		if mode == modeQuit {
			a.checkQuits(1)
		}
	})
}

func diesAfterReady(t *testing.T) {
	inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
		a := newSidecar(t, agentAddr)
		a.answer = func(s *sidecar, conn net.Conn) {
			s.refuse()
			status(200, "")(s, conn)
		}
		a.listen()
		p := startFault(t, []string{mode})
		p.runsOnce()
		if mode == modeQuit {
			p.logHas("istio is gone already", "code=42")
		}
	})
}
