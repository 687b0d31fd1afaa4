package wait

// This file covers the scheme dns, against the tests' own name server.

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestDNS(t *testing.T) {
	for _, test := range []struct {
		addrs   map[uint16][]string
		outcome Outcome
		detail  string
	}{
		{nil, Failed, "cannot resolve db.test.: no such host"},
		{map[uint16][]string{typeA: {"10.0.0.7", "10.0.0.8"}}, Ready, "it has the address 10.0.0.7"},
		{map[uint16][]string{typeA: {"10.0.0.7"}, typeAAAA: {"2001:db8::7"}}, Ready, "it has the address 2001:db8::7"},
	} {
		useNameServer(t, func(kind uint16) ([]string, bool) { return test.addrs[kind], true })
		wantAnswer(t, "dns:///db.test.", test.outcome, test.detail)
	}
}

// An address in hosts(5) is IPv4-mapped for Go.
func TestDNSOfTheHostsFile(t *testing.T) {
	answer := mustParse(t, "dns:///localhost").Prober.Probe(t.Context())
	_, address, _ := strings.Cut(answer.Detail, "it has the address ")
	if answer.Outcome != Ready || address != "127.0.0.1" && address != "::1" {
		t.Errorf("%v", answer)
	}
}

// A name of a headless service appears with its first pod.
func TestDNSNameThatAppears(t *testing.T) {
	var asked atomic.Int64
	useNameServer(t, func(kind uint16) ([]string, bool) {
		if kind != typeA || asked.Add(1) < 3 {
			return nil, true
		}
		return []string{"10.0.0.7"}, true
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var reached Reach
	policy := Policy{Observe: func(e Event) {
		if e.Answer.Outcome != Ready {
			reached = e.Answer.Reach()
		}
	}}
	target := mustParse(t, "dns:///db.test.")
	if err := For(ctx, target, policy); err != nil {
		t.Error(err)
	}
	if reached != NotResolved || len(target.Knock) > 0 {
		t.Errorf("reached %v, knocks at %v", reached, target.Knock)
	}
}

// A name server that never answers holds up neither a probe nor the end of the wait.
func TestDNSWithoutAnswer(t *testing.T) {
	useNameServer(t, func(uint16) ([]string, bool) { return nil, false })
	answer := probeWithin(t, brief, mustParse(t, "dns:///db.test."))
	if !matches(answer, Failed, "cannot resolve db.test.: the name server does not answer") {
		t.Errorf("%v", answer)
	}
	ctx, cancel := context.WithTimeout(t.Context(), brief)
	defer cancel()
	began := time.Now()
	err := For(ctx, mustParse(t, "dns:///db.test."), Policy{})
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > brief+slack {
		t.Errorf("%v after %v", err, took)
	}
}

// A slow name server is asked once, and a later probe takes the answer.
func TestDNSSlow(t *testing.T) {
	useNameServer(t, func(kind uint16) ([]string, bool) {
		time.Sleep(time.Second)
		return map[uint16][]string{typeA: {"10.0.0.7"}}[kind], true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	if err := For(ctx, mustParse(t, "dns:///db.test."), Policy{Attempt: 300 * time.Millisecond}); err != nil {
		t.Error(err)
	}
}

// An answer that came before the end of a probe's time, and is taken after it, is too late.
func TestDNSReadyTooLate(t *testing.T) {
	useNameServer(t, func(kind uint16) ([]string, bool) { return map[uint16][]string{typeA: {"10.0.0.7"}}[kind], true })
	ctx, end := withBackground(t.Context())
	defer end()
	lookup := lookupIn(ctx, "db.test.")
	for i, family := range families {
		lookup.open[i] = lookup.ask(family)
		<-lookup.open[i].done
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if answer := mustParse(t, "dns:///db.test.").Prober.Probe(ended); answer.Outcome != Failed || !errors.Is(answer.Err, context.Canceled) {
		t.Errorf("%v", answer)
	}
}
