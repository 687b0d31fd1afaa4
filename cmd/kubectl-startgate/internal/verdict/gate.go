package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// codes are startgate's own exit codes, and what they mean.
var codes = map[int]string{
	124: "a target was not ready in time",
	125: "a mistake in its settings",
	126: "the program cannot be run",
	127: "the program does not exist",
}

// justBegun is how long startgate may wait before that is worth a word.
const justBegun = 10 * time.Second

// gated is startgate that waits, or has given up.
func gated(c *Case) *Verdict {
	for _, container := range append(slices.Clone(c.Inits), c.Apps...) {
		if s, _, _ := c.deadlocked(container); s != nil {
			continue // initDeadlock tells of it
		}
		if v := c.gatedContainer(container); v != nil {
			return v
		}
	}
	return nil
}

func (c *Case) gatedContainer(container sidecar.Container) *Verdict {
	lines := c.Timeline.Of(container.Name, timeline.Gate)
	ended := c.endedByGate(container)
	waiting := c.waitingGate(container, lines)
	switch {
	case waiting.Known() && c.Now.Sub(first(sinceWaiting(lines)).At) >= justBegun:
		began := first(sinceWaiting(lines))
		return &Verdict{
			Name: Gated, Severity: Problem,
			Summary: fmt.Sprintf("startgate in %s has waited for %s for %s: %s", container.Name, waiting.Fields["target"],
				span(c.Now.Sub(began.At)), orUnknown(answerOf(lines))),
			Evidence: known(began, waiting),
			Cures:    c.gateCures(lastHint(lines), container),
		}
	case ended.Known() && (!c.isReady() || c.isJustRestarted(container)):
		return &Verdict{
			Name: Gated, Severity: Problem,
			Summary:  fmt.Sprintf("startgate in %s ended with code %d, %s: %s", container.Name, ended.Code, codes[ended.Code], gateMessage(ended, lines)),
			Evidence: known(first(sinceWaiting(lines)), lastOf(lines, timeline.GateGaveUp, timeline.GateFailed), ended),
			Cures:    c.gateCures(cmp.Or(lastHint(lines), hintIn(ended)), container),
		}
	}
	return nil
}

// isJustRestarted reports whether a container was started again a moment ago, and startgate has not started its
// application yet. Without probes the kubelet calls it ready, and so the pod.
func (c *Case) isJustRestarted(container sidecar.Container) bool {
	if container.Status == nil || container.Status.State.Running == nil || c.Now.Sub(container.Status.State.Running.StartedAt.Time) >= justBegun {
		return false
	}
	return !slices.ContainsFunc(c.gateLines(container, timeline.GateStarting), func(line Entry) bool { return !line.Previous })
}

// endedByGate returns the last end of a container that startgate caused.
func (c *Case) endedByGate(container sidecar.Container) Entry {
	for _, entry := range slices.Backward(c.Timeline.Of(container.Name, timeline.Terminated)) {
		_, isOurs := codes[entry.Code]
		isTold := strings.HasPrefix(entry.Fields["message"], "startgate:") || len(c.gateLines(container, timeline.GateGaveUp, timeline.GateFailed)) > 0
		if isOurs && isTold {
			return entry
		}
	}
	return Entry{}
}

// waitingGate returns the last line of a wait that goes on.
func (c *Case) waitingGate(container sidecar.Container, lines []Entry) Entry {
	if container.Status != nil && container.Status.State.Running == nil {
		return Entry{}
	}
	var waiting Entry
	for _, line := range lines {
		switch {
		case line.Previous:
		case slices.Contains([]string{timeline.GateWaiting, timeline.GateAnswerChanged, timeline.GateStillWaiting}, line.Event()):
			waiting = line
		case slices.Contains([]string{timeline.GateStarting, timeline.GateGaveUp, timeline.GateStopped, timeline.GateFailed, timeline.GateExited, timeline.GateReady, timeline.GateReleased}, line.Event()):
			waiting = Entry{}
		}
	}
	return waiting
}

// sinceWaiting returns the lines of the last wait.
func sinceWaiting(lines []Entry) []Entry {
	for i, line := range slices.Backward(lines) {
		if line.Event() == timeline.GateWaiting {
			return lines[i:]
		}
	}
	return nil
}

func answerOf(lines []Entry) (answer string) {
	for _, line := range sinceWaiting(lines) {
		if text := line.Fields["answer"]; text != "" {
			answer = text
		}
	}
	return answer
}

func orUnknown(answer string) string {
	if answer == "" {
		return "it has had no answer yet"
	}
	return answer
}

func lastHint(lines []Entry) (hint string) {
	for _, line := range lines {
		if text := line.Fields["hint"]; text != "" {
			hint = text
		}
		if docs := line.Fields["docs"]; docs != "" && line.Fields["hint"] != "" {
			hint = line.Fields["hint"] + " (" + docs + ")"
		}
	}
	return hint
}

func lastOf(lines []Entry, events ...string) (found Entry) {
	for _, line := range lines {
		if slices.Contains(events, line.Event()) {
			found = line
		}
	}
	return found
}

// gateMessage returns what startgate said last: to the kubelet, or in its log.
func gateMessage(ended Entry, lines []Entry) string {
	if message, ok := strings.CutPrefix(ended.Fields["message"], "startgate: "); ok {
		first, _, _ := strings.Cut(message, "\n")
		return first
	}
	return lastOf(lines, timeline.GateGaveUp, timeline.GateFailed).Text
}

// hintIn returns the lines of a termination message after the first: the hint, and where to read on.
func hintIn(ended Entry) string {
	message, isOurs := strings.CutPrefix(ended.Fields["message"], "startgate: ")
	_, hint, _ := strings.Cut(message, "\n")
	if !isOurs {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSpace(hint), "\n", " ")
}

// gateCures are what startgate advises. It does not know the pod's name, and writes POD.
func (c *Case) gateCures(hint string, container sidecar.Container) []cure.Cure {
	hint = strings.NewReplacer(
		"kubectl logs POD", c.kubectl("logs", c.Name),
		"kubectl describe pod", c.kubectl("describe", "pod", c.Name),
	).Replace(hint)
	if hint == "" {
		hint = "See " + c.kubectl("logs", c.Name, "-c", container.Name) + "."
	}
	return []cure.Cure{cure.Note("do what startgate's log says", hint)}
}

// gateLines returns startgate's lines of these events.
func (c *Case) gateLines(container sidecar.Container, events ...string) (found []Entry) {
	for _, line := range c.Timeline.Of(container.Name, timeline.Gate) {
		if slices.Contains(events, line.Event()) {
			found = append(found, line)
		}
	}
	return found
}

// gateQuits returns what startgate says of the shutdown of sidecars.
func (c *Case) gateQuits() (found []Entry) {
	for _, app := range c.Apps {
		found = append(found, c.gateLines(app, timeline.GateQuitRejected, timeline.GateQuitUnanswered, timeline.GateQuitNeverSeen, timeline.GateQuitSkipped, timeline.GateQuitStopped)...)
	}
	return found
}
