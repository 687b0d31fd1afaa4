package timeline

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// second is the resolution of all times that the API server keeps for pods and events.
const second = time.Second

func (b *builder) addPod(pod *corev1.Pod) {
	for _, condition := range pod.Status.Conditions {
		switch {
		case condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue:
			b.kubelet(PodReady, "", condition.LastTransitionTime, "the pod is ready")
		case condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionTrue:
			b.kubelet(Scheduled, "", condition.LastTransitionTime, "the pod is scheduled")
		}
	}
	if pod.DeletionTimestamp != nil {
		asked := pod.DeletionTimestamp.Time
		if grace := pod.DeletionGracePeriodSeconds; grace != nil {
			asked = asked.Add(-time.Duration(*grace) * time.Second)
		}
		b.kubelet(Deleted, "", metav1.NewTime(asked), "the pod is deleted")
	}
	for _, status := range append(pod.Status.InitContainerStatuses[:len(pod.Status.InitContainerStatuses):len(pod.Status.InitContainerStatuses)], pod.Status.ContainerStatuses...) {
		b.addState(status.Name, status.LastTerminationState, true)
		b.addState(status.Name, status.State, false)
	}
}

func (b *builder) addState(container string, state corev1.ContainerState, previous bool) {
	if running := state.Running; running != nil {
		b.kubelet(Started, container, running.StartedAt, "started")
	}
	if waiting := state.Waiting; waiting != nil {
		b.entry(Entry{Source: "kubelet", Kind: WaitingFor, Container: container, Text: strings.TrimSuffix(waiting.Reason+": "+waiting.Message, ": ")})
	}
	if ended := state.Terminated; ended != nil {
		if !ended.StartedAt.IsZero() {
			b.entry(Entry{At: ended.StartedAt.UTC(), Resolution: second, Source: "kubelet", Kind: Started, Container: container, Previous: previous, Text: "started"})
		}
		text := fmt.Sprintf("ended with code %d", ended.ExitCode)
		if ended.Reason != "" && ended.Reason != "Error" && ended.Reason != "Completed" {
			text += ", " + ended.Reason
		}
		b.entry(Entry{
			At: ended.FinishedAt.UTC(), Resolution: second, Source: "kubelet", Kind: Terminated, Container: container, Previous: previous,
			Text: text, Code: int(ended.ExitCode), Fields: map[string]string{"reason": ended.Reason, "message": strings.TrimSpace(ended.Message)},
		})
	}
}

func (b *builder) kubelet(kind Kind, container string, at metav1.Time, text string) {
	b.entry(Entry{At: at.UTC(), Resolution: second, Source: "kubelet", Kind: kind, Container: container, Text: text})
}

// eventKinds are the reasons of the kubelet's events that matter.
var eventKinds = map[string]Kind{
	"Unhealthy": ProbeFailed, "Killing": Killing, "BackOff": BackOff, "FailedPostStartHook": HookFailed, "PostStartHookError": HookFailed,
	"Failed": OtherEvent, "FailedMount": OtherEvent, "FailedScheduling": OtherEvent, "FailedCreatePodSandBox": OtherEvent, "OOMKilling": OtherEvent,
	"Started": Started,
}

func (b *builder) addEvent(event corev1.Event) {
	kind, ok := eventKinds[event.Reason]
	if !ok {
		return
	}
	first, last, count := eventTimes(event)
	entry := Entry{
		At: last, Resolution: second, Source: "event", Kind: kind, Container: eventContainer(event),
		Text: event.Reason + ": " + strings.TrimSpace(event.Message), Count: count,
		Fields: map[string]string{"reason": event.Reason, "message": event.Message},
	}
	if !event.EventTime.IsZero() && event.Series == nil {
		entry.Resolution = time.Microsecond
	}
	if count > 1 && first.Before(last) {
		early := entry
		early.At, early.Count = first, 0
		b.entry(early)
	}
	b.entry(entry)
}

// eventTimes returns when an event was seen first and last. Old and new API servers keep that in
// different fields.
func eventTimes(event corev1.Event) (first, last time.Time, count int) {
	first, last, count = event.FirstTimestamp.UTC(), event.LastTimestamp.UTC(), int(event.Count)
	if first.IsZero() {
		first = event.EventTime.UTC()
	}
	if series := event.Series; series != nil {
		last, count = series.LastObservedTime.UTC(), int(series.Count)
	}
	if last.IsZero() {
		last = first
	}
	if last.IsZero() {
		first, last = event.CreationTimestamp.UTC(), event.CreationTimestamp.UTC()
	}
	if first.IsZero() {
		first = last
	}
	return first, last, max(count, 1)
}

// containerInText finds the container in an event's message, where the event does not refer to it.
var containerInText = regexp.MustCompile(`[Cc]ontainer "?([a-z0-9][a-z0-9-]*)`)

// eventContainer returns the container that an event is about.
func eventContainer(event corev1.Event) string {
	if _, name, ok := strings.Cut(event.InvolvedObject.FieldPath, "{"); ok {
		return strings.TrimSuffix(name, "}")
	}
	if found := containerInText.FindStringSubmatch(event.Message); found != nil && event.Reason != "FailedMount" && event.Reason != "FailedScheduling" {
		return found[1]
	}
	return ""
}

// gaps says what the evidence leaves out.
func (b *builder) addGaps(e *evidence.Evidence) {
	for _, log := range e.Logs {
		if log.Truncated {
			b.gap("the log of %s is longer than the limit, and its end was not read", log.Container)
		}
	}
}
