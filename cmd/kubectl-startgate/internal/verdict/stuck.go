package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// patience is how long a sidecar may take before it is called stuck.
const patience = 30 * time.Second

// neverReady is a sidecar that has not become ready, and says why or has had its time.
func neverReady(c *Case) *Verdict {
	if c.Pod == nil || c.isGoing() || c.Pod.Status.Phase == corev1.PodSucceeded || c.Pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	for _, s := range c.Sidecars {
		if s.Status == nil || s.Status.Ready || firstReady(s.Runs).Known() {
			continue
		}
		why, evidence := c.whyNotReady(s)
		if why == "" {
			continue
		}
		return &Verdict{
			Name: NeverReady, Severity: Problem,
			Summary:  fmt.Sprintf("%s has not become ready%s: %s%s", s.Name, c.age(s), why, c.meanwhile(s)),
			Evidence: evidence,
			Cures:    []cure.Cure{cure.Note("mend the sidecar", "No order of starts helps while "+s.Name+" is not ready. "+c.whereToLook(s))},
		}
	}
	return nil
}

// whereToLook says where a sidecar that is not ready tells why. One that has never run has no log.
func (c *Case) whereToLook(s Sidecar) string {
	if !s.Runs[0].Started.Known() {
		return "See " + c.kubectl("describe", "pod", c.Name) + "."
	}
	return "See " + c.kubectl("logs", c.Name, "-c", s.Name) + ", and the mesh's control plane."
}

// reasons are what sidecars log while they are not ready, and what that means.
var reasons = []struct{ phrase, meaning string }{
	{"config not received from", "it gets no configuration: the control plane is out of reach or not running"},
	{"config not fully received", "it has only part of its configuration"},
	{"rejected", "it rejects its configuration"},
	{"certify identity", "it gets no certificate: the identity service is out of reach or refuses it"},
	{"identity to be initialized", "it gets no certificate: the identity service is out of reach or refuses it"},
	{"error authenticating", "it cannot log in to Vault"},
	{"connection error", "it does not reach its control plane"},
	{"bootstrap configuration", "it gets no configuration: the control plane is out of reach or not running"},
	{"waiting on port", "it waits for the application to listen, which is not ready itself"},
	{"terminal error", "it ended by an error of its own"},
}

func (c *Case) whyNotReady(s Sidecar) (string, []Entry) {
	waiting := last(c.Timeline.Of(s.Name, timeline.WaitingFor))
	ended := last(c.Timeline.Of(s.Name, timeline.Terminated))
	sign := last(c.Timeline.Of(s.Name, timeline.SidecarNot))
	probe := last(c.Timeline.Of(s.Name, timeline.ProbeFailed))
	blocked := last(c.Timeline.Of("", timeline.OtherEvent))
	evidence := known(s.Runs[0].Started, waiting, ended, sign, probe)
	switch {
	case strings.Contains(waiting.Text, "Image"):
		return "its image cannot be pulled (" + waiting.Text + ")", evidence
	case ended.Fields["reason"] == "OOMKilled":
		return "it is killed because its memory limit is too low (OOMKilled)", evidence
	case strings.HasPrefix(waiting.Text, "CreateContainer"), strings.HasPrefix(waiting.Text, "RunContainerError"):
		return waiting.Text, evidence
	case blocked.Known() && !c.hasStartedSince(blocked):
		return blocked.Text, append(evidence, blocked)
	case sign.Text != "" && !c.isYoung(s):
		return meaningOf(sign.Text), evidence
	case strings.HasPrefix(waiting.Text, "CrashLoopBackOff"), ended.Known() && ended.Code != codeOfReboot:
		return "it " + orEnded(ended) + " and does not stay up", evidence
	case probe.Known() && !c.isYoung(s):
		return probe.Text, evidence
	}
	return "", nil
}

// hasStartedSince reports whether a container of the pod was started after an entry: what kept the pod is over.
func (c *Case) hasStartedSince(entry Entry) bool {
	return slices.ContainsFunc(c.Timeline.Entries, func(e Entry) bool { return e.Kind == timeline.Started && !e.Before(entry) })
}

// isYoung reports whether a sidecar may still be starting. One that has ended by itself is not young.
func (c *Case) isYoung(s Sidecar) bool {
	started := s.Current().Started
	mayWork := restarts(s.Container) == 0 || s.Runs[0].Ended.Code == codeOfReboot
	return mayWork && started.Known() && c.Now.Sub(started.At) < patience
}

// meanwhile says how often an application was refused until now.
func (c *Case) meanwhile(s Sidecar) string {
	hits := of(in(c.hits(timeline.Refused), starting, restarting), s)
	if len(hits) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s was refused %s meanwhile", hits[0].app.Name, times(len(hits)))
}

// age says for how long a sidecar has run.
func (c *Case) age(s Sidecar) string {
	if started := s.Current().Started; started.Known() && s.isRunning() {
		return " in " + span(c.Now.Sub(started.At))
	}
	return ""
}

func meaningOf(text string) string {
	if strings.Contains(text, "0 rejected") && !strings.Contains(text, "config not") {
		return text
	}
	for _, reason := range reasons {
		if strings.Contains(text, reason.phrase) {
			return reason.meaning
		}
	}
	return text
}
