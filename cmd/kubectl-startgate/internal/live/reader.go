// Package live reads the evidence from a cluster. It only reads, and it goes on without what it may not read.
package live

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
)

// Reader reads from a cluster.
type Reader struct {
	Client kubernetes.Interface
	Limits
}

// Limits bound what is read.
type Limits struct {
	Since     time.Duration // how old a line of a log may be; 0: any age
	At        time.Time     // the time that matters; zero: all
	Container string        // of the applications, read the log of this one only; all if empty
	Bytes     int64         // of each log, from its head
	ChunkSize int64         // objects in one answer of the API server
}

// Evidence reads all that there is of one pod.
func (r *Reader) Evidence(ctx context.Context, pod *corev1.Pod) *evidence.Evidence {
	e := &evidence.Evidence{Namespace: pod.Namespace, Name: pod.Name, Pod: pod, Taken: time.Now().UTC(), Only: r.Container}
	e.Owner = r.owner(ctx, e)
	r.events(ctx, e)
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if r.isWanted(status) {
			r.logs(ctx, e, status)
		}
	}
	return e
}

// isWanted reports whether the log of a container is read. Those of sidecars always are.
func (r *Reader) isWanted(status corev1.ContainerStatus) bool {
	return r.Container == "" || r.Container == status.Name || sidecar.Of(status.Name, status.Image) != nil
}

// events reads the events of a pod.
func (r *Reader) events(ctx context.Context, e *evidence.Evidence) {
	err := r.eachEvent(ctx, e.Namespace, fields.Set{"involvedObject.name": e.Name}, func(event corev1.Event) {
		if evidence.IsOf(event, e.Pod.UID) {
			e.Events = append(e.Events, event)
		}
	})
	if err != nil {
		e.Gaps = append(e.Gaps, gap("list", "events", e.Namespace, err))
	}
}

// eachEvent calls do for each event of pods with these fields, in pages. An empty namespace means all.
func (r *Reader) eachEvent(ctx context.Context, namespace string, with fields.Set, do func(corev1.Event)) error {
	with["involvedObject.kind"] = "Pod"
	options := metav1.ListOptions{FieldSelector: with.String(), Limit: r.ChunkSize}
	for {
		list, err := r.Client.CoreV1().Events(namespace).List(ctx, options)
		if err != nil {
			return err
		}
		for _, event := range list.Items {
			do(event)
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return nil
		}
	}
}

// restartEvents are the reasons of events that tell of a start that failed.
var restartEvents = []string{"BackOff", "Killing", "FailedPostStartHook"}

// RestartEvents are the events that tell of starts that failed, by their pods' namespaces and names.
type RestartEvents map[string][]corev1.Event

// RestartEvents reads those of all pods. If they cannot be read, it says why.
func (r *Reader) RestartEvents(ctx context.Context, namespace string) (RestartEvents, *evidence.Gap) {
	found := RestartEvents{}
	for _, reason := range restartEvents {
		err := r.eachEvent(ctx, namespace, fields.Set{"reason": reason}, func(event corev1.Event) {
			key := event.InvolvedObject.Namespace + "/" + event.InvolvedObject.Name
			found[key] = append(found[key], event)
		})
		if err != nil {
			why := gap("list", "events", orAll(namespace), err)
			return nil, &why
		}
	}
	return found, nil
}

// Of returns those of one pod.
func (e RestartEvents) Of(pod *corev1.Pod) (found []corev1.Event) {
	for _, event := range e[pod.Namespace+"/"+pod.Name] {
		if evidence.IsOf(event, pod.UID) {
			found = append(found, event)
		}
	}
	return found
}

// logs reads the log of a container's current run, and of the one before.
func (r *Reader) logs(ctx context.Context, e *evidence.Evidence, status corev1.ContainerStatus) {
	if status.LastTerminationState.Terminated != nil {
		r.log(ctx, e, status.Name, true)
	}
	if status.State.Running != nil || status.State.Terminated != nil {
		r.log(ctx, e, status.Name, false)
	}
}

func (r *Reader) log(ctx context.Context, e *evidence.Evidence, container string, previous bool) {
	text, truncated, err := r.readLog(ctx, e, container, previous)
	switch {
	case err == nil:
		e.Logs = append(e.Logs, evidence.Log{Container: container, Previous: previous, Lines: evidence.Bytes(text), Truncated: truncated})
	case previous && (apierrors.IsBadRequest(err) || apierrors.IsNotFound(err)):
		// The kubelet keeps the log of the run before as long as it likes.
	default:
		e.Gaps = append(e.Gaps, gap("get", "pods/log", e.Name+" -c "+container, err))
	}
}

// aroundAt is how much before --at a log is read.
const aroundAt = 10 * time.Minute

// readLog reads a log from its head, where a start is, and not from its end.
func (r *Reader) readLog(ctx context.Context, e *evidence.Evidence, container string, previous bool) (text []byte, truncated bool, err error) {
	limit := r.Bytes + 1
	options := &corev1.PodLogOptions{Container: container, Previous: previous, Timestamps: true, LimitBytes: &limit}
	switch {
	case !r.At.IsZero():
		since := metav1.NewTime(r.At.Add(-aroundAt))
		options.SinceTime = &since
	case r.Since > 0:
		seconds := int64(r.Since.Seconds())
		options.SinceSeconds = &seconds
	}
	stream, err := r.Client.CoreV1().Pods(e.Namespace).GetLogs(e.Name, options).Stream(ctx)
	if err != nil {
		return nil, false, err
	}
	defer stream.Close()
	text, err = io.ReadAll(io.LimitReader(stream, limit))
	if int64(len(text)) > r.Bytes {
		return text[:r.Bytes], true, nil
	}
	return text, false, err
}

// gap is a read that failed. Why is short where the API server is not.
func gap(verb, resource, name string, err error) evidence.Gap {
	why := err.Error()
	if apierrors.IsForbidden(err) {
		why = "forbidden"
	}
	return evidence.Gap{Verb: verb, Resource: resource, Name: name, Why: why}
}

// fatal is an error after which there is nothing to look at.
func fatal(verb, resource, name string, err error) error {
	return fmt.Errorf("cannot %s", gap(verb, resource, name, err))
}
