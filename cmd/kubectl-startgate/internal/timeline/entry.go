// Package timeline puts what is known of a pod in the order in which it happened.
package timeline

import (
	"time"
)

// Kind is what an entry is about.
type Kind string

// What the kubelet says of a container or the pod.
const (
	Scheduled     Kind = "scheduled"
	PodReady      Kind = "pod_ready"
	Deleted       Kind = "deleted"
	Started       Kind = "started"
	Terminated    Kind = "terminated"
	WaitingFor    Kind = "waiting"      // with its reason, such as ImagePullBackOff
	ProbeFailed   Kind = "probe_failed" // readiness, liveness or startup
	Killing       Kind = "killing"
	BackOff       Kind = "back_off"
	HookFailed    Kind = "hook_failed" // of postStart
	OtherEvent    Kind = "event"
	FirstLine     Kind = "first_line" // of a container's log
	LastLine      Kind = "last_line"
	Refused       Kind = "refused" // an application's connection
	Reset         Kind = "reset"
	TimedOut      Kind = "timed_out"
	Unresolved    Kind = "unresolved"
	Upstream      Kind = "upstream" // the proxy answered in the place of a server
	SidecarReady  Kind = "sidecar_ready"
	SidecarNot    Kind = "sidecar_not_ready"
	SidecarEnding Kind = "sidecar_ending"
	Gate          Kind = "startgate" // a line of startgate's own
)

// Entry is one thing that happened.
type Entry struct {
	At         time.Time
	Resolution time.Duration // it happened at At, or up to this much later
	Source     string        // kubelet, event, log
	Kind       Kind
	Container  string
	Previous   bool   // of a container's run before this one
	Text       string // for people
	Target     string // whom a connection was to, such as 10.0.0.7:6379, if the line names it
	Count      int    // how often, if not once
	Code       int    // the exit code, of Terminated
	Fields     map[string]string
}

// Before reports whether e certainly happened before the other.
func (e Entry) Before(other Entry) bool { return e.BeforeTime(other.At) }

// BeforeTime reports whether e certainly happened before t.
func (e Entry) BeforeTime(t time.Time) bool {
	return !e.At.IsZero() && !t.IsZero() && !e.At.Add(e.Resolution).After(t)
}

// Known reports whether it is known when it happened.
func (e Entry) Known() bool { return !e.At.IsZero() }

// Event returns the name of startgate's event.
func (e Entry) Event() string { return e.Fields["event"] }
