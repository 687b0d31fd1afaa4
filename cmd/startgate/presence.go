package main

import (
	"context"
	"time"

	"github.com/startgate/startgate/wait"
)

// presence is what is seen of a sidecar in a pod that is said not to be injected. It may
// change during the wait.
type presence int

const (
	unknown    presence = iota // nothing was looked for, or there was no time to see
	absent                     // there is no sign of it
	listening                  // a port of it answers
	redirected                 // outbound traffic is redirected to a proxy that does not listen
	givenUp                    // the same, for so long that it is not waited for; it may still start
)

// String returns the sign of a sidecar.
func (p presence) String() string {
	switch p {
	case listening:
		return "its port answers"
	case redirected, givenUp:
		return "outbound traffic is redirected to a proxy that does not listen"
	}
	return ""
}

// isSubject reports whether the annotation is about target, and says that it is not there.
func (g *gate) isSubject(target wait.Target) bool {
	return g.plan.injection == notInjected && isSidecar(target, g.plan.subject)
}

// look finds out what there is of the sidecar that the annotation says is not there. It
// takes as long as a probe at most.
func (g *gate) look(ctx context.Context) error {
	if target, ok := g.plan.find(g.isSubject); ok {
		g.seen = g.presenceOf(ctx, target, time.Duration(g.settings.AttemptTimeout))
	}
	return context.Cause(ctx)
}

func (g *gate) presenceOf(ctx context.Context, target wait.Target, limit time.Duration) presence {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch {
	case target.Listens(ctx):
		return listening
	case target.Sidecar.Mesh && wait.Redirected(ctx):
		return redirected
	case isPast(ctx):
		return unknown
	}
	return absent
}

// isPast reports whether ctx has ended, or its deadline has passed, which connections
// notice a little earlier.
func isPast(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// isAbsent reports whether a sidecar is neither said nor seen to be in the pod.
func (g *gate) isAbsent(target wait.Target) bool { return g.isSubject(target) && g.seen == absent }

// isSkipped reports whether a sidecar is not waited for. One that was given up is still
// shut down: it may start later.
func (g *gate) isSkipped(target wait.Target) bool {
	return g.isSubject(target) && (g.seen == absent || g.seen == givenUp)
}

// unservedPatience is how long startgate waits for a proxy that outbound traffic is
// redirected to, in a pod that is said not to be injected. The redirect may be another
// mesh's, or no redirect at all: see [wait.Redirected].
const unservedPatience = 10 * time.Second

// isUnserved reports whether unservedPatience has passed since the whole wait began, or half
// of the time for the whole wait.
func (g *gate) isUnserved() bool {
	patience := unservedPatience
	if limit := time.Duration(g.settings.Timeout); limit > 0 {
		patience = min(patience, limit/2)
	}
	return time.Since(g.began) >= patience
}

// lookAgain is called when a target refuses. It ends the wait for a sidecar that is said not
// to be there, once no sign of it is left, or only one that may be a guess.
func (p *progress) lookAgain(ctx context.Context, end context.CancelCauseFunc) {
	if !p.isSubject(p.target) {
		return
	}
	now := p.presenceOf(ctx, p.target, hintPatience)
	if isPast(ctx) || now == unknown {
		return
	}
	if p.seen = now; now == redirected && p.isUnserved() {
		p.seen = givenUp
	}
	if p.isSkipped(p.target) {
		end(wait.ErrAbsent)
	}
}

// logSkipped says why the target is not waited for any more.
func (p *progress) logSkipped() {
	attrs := []any{"target", p.target.Name, "elapsed", time.Since(p.began).Round(time.Millisecond)}
	if p.seen == absent {
		p.log.info(eventSkipped, p.target.Name+" is not waited for: there is no sign of it any more", attrs...)
		return
	}
	p.log.warn(eventSkipped, p.target.Name+" is not waited for: "+p.seen.String()+", and "+envSidecarStatus+" is empty", attrs...)
}
