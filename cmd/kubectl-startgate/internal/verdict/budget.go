package verdict

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// probeBudget is a container that the kubelet killed while startgate waited in it.
func probeBudget(c *Case) *Verdict {
	for _, app := range c.Apps {
		lines := c.Timeline.Of(app.Name, timeline.Gate)
		wait := lastOf(lines, timeline.GateWaiting)
		if wait.Event() == "" || lastOf(lines, timeline.GateStarting).Event() != "" {
			continue
		}
		for _, killing := range c.Timeline.Of(app.Name, timeline.Killing) {
			probe := probeOf(killing.Text)
			if probe == "" {
				continue
			}
			return &Verdict{
				Name: ProbeBudget, Severity: Problem,
				Summary:  fmt.Sprintf("the %s of %s killed it while startgate waited for %s: %s", probe, app.Name, wait.Fields["target"], budgetText(app, probe, wait)),
				Evidence: known(wait, last(c.Timeline.Of(app.Name, timeline.ProbeFailed)), killing, last(c.Timeline.Of(app.Name, timeline.Terminated))),
				Cures:    []cure.Cure{cure.StartupBudget(c.workload(), app.Name, c.appSpec(app), timeoutOf(wait))},
			}
		}
	}
	return nil
}

func probeOf(text string) string {
	switch {
	case strings.Contains(text, "failed startup probe"):
		return "startupProbe"
	case strings.Contains(text, "failed liveness probe"):
		return "livenessProbe"
	}
	return ""
}

func budgetText(app sidecar.Container, probe string, wait Entry) string {
	budget := "its budget is smaller than"
	if app.Spec != nil {
		spec := app.Spec.StartupProbe
		if probe == "livenessProbe" {
			spec = app.Spec.LivenessProbe
		}
		if spec != nil {
			budget = "it allows " + span(cure.Budget(spec)) + ", and"
		}
	}
	return fmt.Sprintf("%s startgate may wait for %s", budget, span(timeoutOf(wait)))
}

// timeoutOf returns STARTGATE_TIMEOUT as the log has it.
func timeoutOf(wait Entry) time.Duration {
	if d, err := time.ParseDuration(wait.Fields["timeout"]); err == nil {
		return d
	}
	if s, err := strconv.ParseFloat(wait.Fields["timeout_seconds"], 64); err == nil {
		return time.Duration(s * float64(time.Second))
	}
	return cure.DefaultTimeout
}
