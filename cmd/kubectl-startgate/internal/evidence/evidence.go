// Package evidence is what is known of one pod, wherever it comes from: a cluster, saved
// files, or the export of a log store.
package evidence

import (
	"fmt"
	"iter"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Evidence is what is known of one pod.
type Evidence struct {
	Namespace, Name string
	Context         string      // that of the kubeconfig, if a user has named one
	Pod             *corev1.Pod // nil if the pod is gone and only its logs and events are left
	Owner           Owner       // zero if it has none, or none could be read
	Events          []corev1.Event
	Logs            []Log
	Gaps            []Gap     // what could not be read
	Taken           time.Time // when it was read; zero if unknown
	Only            string    // the application that matters; all if empty
}

// Owner is the workload that a user would change: a Deployment, not its ReplicaSet.
type Owner struct {
	Kind, Name string
	Template   *corev1.PodTemplateSpec // nil if it could not be read
}

// Resource returns the name that kubectl takes, such as deployment/web.
func (o Owner) Resource() string { return fmt.Sprintf("%s/%s", lower(o.Kind), o.Name) }

// Log is the log of one run of a container.
type Log struct {
	Container string
	Previous  bool
	Lines     iter.Seq[Line] // may be read more than once
	Truncated bool           // there is more than could be read
}

// Line is a line of a log.
type Line struct {
	At   time.Time // when the runtime got it; zero if that was not recorded
	Text string
}

// Gap is something that could not be read.
type Gap struct {
	Verb     string `json:"verb,omitempty"`     // get, list
	Resource string `json:"resource,omitempty"` // pods/log
	Name     string `json:"name,omitempty"`
	Why      string `json:"why"`
}

func (g Gap) String() string {
	if g.Verb == "" {
		return g.Why
	}
	return fmt.Sprintf("%s %s %s: %s", g.Verb, g.Resource, g.Name, g.Why)
}

// HasEvents reports whether the events of the pod could be read.
func (e *Evidence) HasEvents() bool {
	for _, gap := range e.Gaps {
		if gap.Resource == "events" {
			return false
		}
	}
	return true
}

// IsOf reports whether an event is about the pod with this UID, and not about one before it with the same name.
func IsOf(event corev1.Event, uid types.UID) bool {
	return event.InvolvedObject.UID == "" || uid == "" || event.InvolvedObject.UID == uid
}
