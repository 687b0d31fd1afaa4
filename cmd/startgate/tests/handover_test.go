//go:build linux

package tests

// How often Istio's agent is asked until it is ready, and what is knocked at meanwhile.

import (
	"strings"
	"testing"
	"time"
)

// script is what a stand-in sidecar does: its agent answers 503 from up on, and
// 200 from ready on; lead before that, its health port begins to listen, as
// Envoy's does. With a negative lead it never does.
type script struct {
	up, ready, lead time.Duration
	knocks          int // it is not ready before so many knocks were answered, or soon after
}

// play starts startgate with these settings and a sidecar beside it. It returns
// how long after the sidecar was ready the application started, and how many
// requests the sidecar answered.
func (s script) play(t testing.TB, settings ...string) (p *process, delay time.Duration, requests int) {
	t.Helper()
	agent := newSidecar(t, agentAddr)
	defer agent.listener.Close()
	p = startDate(t, settings)
	time.Sleep(time.Until(p.began.Add(s.up)))
	agent.listen()
	time.Sleep(time.Until(p.began.Add(s.ready - max(s.lead, 0))))
	if s.lead >= 0 {
		defer listenOn(t, healthAddr).Close()
	}
	for late := time.Now().Add(soon); p.knocks() < s.knocks && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
	ready := agent.getReady(max(s.lead, 0))
	delay = p.startedAt().Sub(ready)
	return p, delay, int(agent.asked.Load())
}

// knocks is how many knocks were answered, by a log at level debug.
func (p *process) knocks() int { return strings.Count(p.log.String(), "knocked=true") }

// requestsOfLate is how many requests more a sidecar may have that is late on a busy
// machine, where it should take at most 2.5 seconds.
func (p *process) requestsOfLate() int {
	return int(max(0, p.took-3*time.Second) / (100 * time.Millisecond))
}

// leads are how long before it is ready a sidecar may listen on its health port, and
// how many requests it may then have to answer.
var leads = []struct {
	lead     time.Duration
	requests int
}{
	{0, 10},
	{20 * time.Millisecond, 12},
	{200 * time.Millisecond, 17},
}

// readyAt spreads n starts over what the sidecar may take, 2s to 2.5s.
func readyAt(i, n int) time.Duration {
	return 2*time.Second + 500*time.Millisecond*time.Duration(i)/time.Duration(n)
}

// The sidecar is asked seldom, and the application starts after it is ready. How soon
// after it, says BenchmarkHandoverIstio.
func TestHandover(t *testing.T) {
	needRoot(t)
	for _, test := range leads {
		t.Run(test.lead.String(), func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			// No probe is due when a port opens: one comes after each 500 ms without an answered knock.
			s := script{up: 400 * time.Millisecond, ready: 2500 * time.Millisecond, lead: test.lead, knocks: 2}
			for try := 1; ; try++ {
				p, delay, requests := s.play(t, "LOG_LEVEL=debug")
				t.Logf("started %v after ready, %d requests", delay, requests)
				if delay < 0 {
					p.Errorf("started %v before the sidecar was ready", -delay)
				}
				if most := test.requests + p.requestsOfLate(); requests > most {
					p.Errorf("the sidecar had %d requests, want at most %d", requests, most)
				}
				switch n := p.knocks(); {
				case n == s.knocks:
					return
				case try == 5:
					p.Fatalf("%d knocks were answered, want 2: at the agent's port and at the health port", n)
				default: // a machine so busy that a probe was due before startgate could knock
					t.Logf("%d knocks were answered: trying again", n)
				}
			}
		})
	}
}

// If an address answers from the beginning, there is nothing to knock at. It is asked when a
// tenth of the time waited has passed, or sooner.
func TestHandoverWithoutKnock(t *testing.T) {
	needRoot(t)
	for i := range 2 {
		s := script{ready: readyAt(i, 2), lead: -1}
		t.Run(s.ready.String(), func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			p, delay, requests := s.play(t, "WAIT_FOR=http://localhost:15020/healthz/ready")
			t.Logf("started %v after ready, %d requests", delay, requests)
			if delay < 0 {
				t.Errorf("started %v before the sidecar was ready", -delay)
			}
			if most := 52 + p.requestsOfLate(); requests > most {
				p.Errorf("the sidecar had %d requests, want at most %d", requests, most)
			}
		})
	}
}
