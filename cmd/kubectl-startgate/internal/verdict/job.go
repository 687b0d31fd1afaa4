package verdict

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

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
