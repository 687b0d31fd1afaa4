package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// initDeadlock is an init container that needs the sidecar, which starts after it.
func initDeadlock(c *Case) *Verdict {
	for _, init := range c.Inits {
		if init.Status == nil || init.Status.State.Terminated != nil && init.Status.State.Terminated.ExitCode == 0 {
			continue
		}
		refused := c.failures(init, timeline.Refused, timeline.Unresolved, timeline.TimedOut)
		refused = append(refused, c.gateLines(init, timeline.GateWaiting, timeline.GateStillWaiting, timeline.GateGaveUp)...)
		for _, s := range c.Sidecars {
			if len(refused) == 0 || s.Native || !s.Kind.Mesh || s.Runs[0].Started.Known() || !c.isRedirected(init) {
				continue
			}
			if timeline.IsLoopback(refused[0].Target) {
				continue
			}
			return &Verdict{
				Name: InitDeadlock, Severity: Problem,
				Summary:  fmt.Sprintf("the init container %s needs the network through %s, which starts only when the init containers are done: neither can go on", init.Name, s.Name),
				Evidence: known(first(c.Timeline.Of(init.Name, timeline.Started)), refused[0], last(refused), first(c.Timeline.Of(s.Name, timeline.WaitingFor))),
				Cures:    c.initCures(init, s, refused[0].Target),
			}
		}
	}
	return nil
}

// isRedirected reports whether the mesh's rules are in place when the init container runs: an init container before
// it has made them, or a CNI plugin has, and a container only checks that.
func (c *Case) isRedirected(init sidecar.Container) bool {
	for _, other := range c.Inits {
		if isCNI := strings.HasSuffix(other.Name, "-validation") || strings.HasSuffix(other.Name, "-network-validator"); isCNI {
			return true
		}
		isMaker := slices.Contains([]string{"istio-init", "linkerd-init", "kuma-init", "consul-connect-inject-init"}, other.Name)
		if isMaker && other.Place < init.Place {
			return true
		}
	}
	return false
}

// jobDone is a Job that has done its work, and is kept. One that has failed has failed for a reason, which comes first.
func jobDone(c *Case) *Verdict { return c.jobKept(func(code int) bool { return code == 0 }) }

func jobFailed(c *Case) *Verdict { return c.jobKept(func(code int) bool { return code != 0 }) }

// jobKept is an application that has ended for good, and a sidecar that has not.
func (c *Case) jobKept(isCode func(int) bool) *Verdict {
	if c.Pod == nil || c.Pod.Spec.RestartPolicy == corev1.RestartPolicyAlways || len(c.Apps) == 0 {
		return nil
	}
	var ended []Entry
	for _, app := range c.Apps {
		if app.Status == nil || app.Status.State.Terminated == nil || c.willRestart(app) {
			return nil
		}
		ended = append(ended, last(c.Timeline.Of(app.Name, timeline.Terminated)))
	}
	for _, s := range c.Sidecars {
		if s.Native || !s.isRunning() {
			continue
		}
		end := last(ended)
		if !isCode(end.Code) {
			continue
		}
		return &Verdict{
			Name: JobKept, Severity: Problem,
			Summary:  fmt.Sprintf("%s %s at %s and %s has kept the pod since: for %s", end.Container, end.Text, clockOf(end), s.Name, span(c.Now.Sub(end.At))),
			Evidence: append(append(ended, c.gateQuits()...), known(s.Current().Started)...),
			Cures:    c.jobCures(s),
		}
	}
	return nil
}

func (c *Case) willRestart(app sidecar.Container) bool {
	return c.Pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && app.Status.State.Terminated.ExitCode != 0
}

// patience is how long a sidecar may take before it is called stuck.
const patience = 30 * time.Second

// neverReady is a sidecar that has not become ready, and says why or has had its time.
func neverReady(c *Case) *Verdict {
	if c.Pod == nil || c.isGoing() || c.Pod.Status.Phase == corev1.PodSucceeded || c.Pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	for _, s := range c.Sidecars {
		if s.Status == nil || s.Status.Ready || c.wasReady(s) {
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
			Cures:    []cure.Cure{cure.Note("mend the sidecar", "No order of starts helps while "+s.Name+" is not ready. See kubectl logs "+c.Name+" -c "+s.Name+", and the mesh's control plane.")},
		}
	}
	return nil
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
	case blocked.Known() && !s.Runs[0].Started.Known():
		return blocked.Text, append(evidence, blocked)
	case sign.Text != "" && !c.isYoung(s):
		return meaningOf(sign.Text), evidence
	case strings.HasPrefix(waiting.Text, "CrashLoopBackOff"), ended.Known():
		return "it " + orEnded(ended) + " and does not stay up", evidence
	case probe.Known() && !c.isYoung(s):
		return probe.Text, evidence
	}
	return "", nil
}

// isYoung reports whether a sidecar may still be starting.
func (c *Case) isYoung(s Sidecar) bool {
	started := s.Current().Started
	return restarts(s.Container) == 0 && started.Known() && c.Now.Sub(started.At) < patience
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

// IsKept reports whether a pod's status shows that its sidecar keeps it.
func IsKept(pod *corev1.Pod) bool {
	c := NewCase(&evidence.Evidence{Namespace: pod.Namespace, Name: pod.Name, Pod: pod}, time.Time{})
	return c.jobKept(func(int) bool { return true }) != nil
}
