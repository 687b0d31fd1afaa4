package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/startgate/startgate/wait"
)

// hint says what may be wrong, and what to do about it. Its anchor names the section of
// README.md that says more. Either may be empty.
type hint struct{ text, anchor string }

// The sections of README.md that hints lead to.
const (
	anchorNotInjected   = "not-injected"
	anchorNotInPod      = "not-in-a-pod"
	anchorNotReady      = "the-sidecar-is-not-ready"
	anchorMovedPort     = "the-status-port-has-moved"
	anchorInitContainer = "an-init-container-that-waits"
	anchorGone          = "it-answered-before-and-is-gone"
	anchorUnresolved    = "a-name-is-not-resolved"
	anchorUnanswered    = "no-answer-at-all"
	anchorRefused       = "connection-refused-while-waiting"
	anchorDropped       = "accepted-and-closed"
	anchorTLS           = "the-server-speaks-tls"
	anchorFile          = "the-file-does-not-appear"
	anchorHeld          = "a-file-system-does-not-answer"
	anchorQuit          = "a-job-does-not-end"
	anchorTimeout       = "code-124"
	anchorFailed        = "code-125"
	anchorNotRun        = "code-126-or-127"
	anchorStopped       = "code-143-instead-of-124"
	anchorSlow          = "a-slow-start-without-a-mesh"
	anchorProxyUser     = "uid-1337"
	anchorServer        = "the-server-is-not-ready"
)

// docs returns the address of the hint's section.
func (h hint) docs() string { return homepage + "#" + h.anchor }

// attrs returns what the log has of the hint.
func (h hint) attrs() (attrs []any) {
	if h.text != "" {
		attrs = append(attrs, "hint", h.text)
	}
	if h.anchor != "" {
		attrs = append(attrs, "docs", h.docs())
	}
	return attrs
}

// repeatAfter is how long the text of a hint that has not changed is not repeated.
const repeatAfter = 5 * time.Minute

// hintRepeats remembers which hint was last logged in full, and when.
type hintRepeats struct {
	full hint
	at   time.Duration // since the wait began
}

// attrs returns what the log has of the hint at this time of the wait: of one that has not
// changed, the address only.
func (r *hintRepeats) attrs(h hint, at time.Duration) []any {
	if h == r.full && at < r.at+repeatAfter {
		return hint{anchor: h.anchor}.attrs()
	}
	*r = hintRepeats{h, at}
	return h.attrs()
}

// waitState is how far a wait has come that has not ended.
type waitState struct {
	target   wait.Target
	last     wait.Answer
	answered bool // it has answered before
	injection
	outsidePod bool // this is seen not to be a pod
}

// isMeshOutsidePod reports whether the target is the sidecar of a mesh, as a webhook injects
// it into pods, and does not listen where there is no pod.
func (s waitState) isMeshOutsidePod() bool {
	return s.outsidePod && s.last.Outcome == wait.Refused && isInjectable(s.target) && s.target.Sidecar.Mesh
}

// envInPod is a variable that the kubelet sets in every container, except in a static pod that
// it starts before it has read the Services.
const envInPod = "KUBERNETES_SERVICE_HOST"

// isOutsidePod reports whether this is seen not to be a pod: there is neither the variable
// nor the file of the termination message.
func isOutsidePod() bool {
	if os.Getenv(envInPod) != "" {
		return false
	}
	return errors.Is(within(func() error { _, err := os.Lstat(terminationLog); return err }), fs.ErrNotExist)
}

// hints are asked in this order for what may be the cause, and what to do about it.
var hints = []func(context.Context, waitState) hint{
	hintUnresolved, hintUnanswered, hintGone, hintMovedPort, hintNotInjected, hintIstio, hintSidecar, hintDapr, hintFile, hintRefused, hintTLS, hintDropped, hintAnswer,
}

// hintPatience is how long the search for a hint may take.
const hintPatience = 500 * time.Millisecond

// hint returns the first hint that applies, or none. Some hints ask the sidecar, until
// ctx ends or hintPatience has passed.
func (s waitState) hint(ctx context.Context) hint {
	ctx, cancel := context.WithTimeout(ctx, hintPatience)
	defer cancel()
	for _, find := range hints {
		if found := find(ctx, s); found != (hint{}) {
			return found
		}
	}
	return hint{}
}
