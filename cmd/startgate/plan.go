package main

import (
	"fmt"
	"slices"

	"github.com/startgate/startgate/wait"
)

// plan is what startgate intends to do, from the settings alone. What becomes of it
// depends on what is in the pod: see [plan.without] and [plan.mode].
type plan struct {
	targets   []wait.Target // to wait for, in this order
	quits     []wait.Target // to shut down after the application
	supervise bool          // STARTGATE_SUPERVISE asks for it
	noQuits   string        // why quits is empty although STARTGATE_QUIT is not
	subject   string        // the sidecar that the pod's annotation is about; empty: none
	injection injection     // what the annotation says of it
	notes     []hint        // warnings

	lacksStatus bool // the pod's annotation is not handed over, and matters
}

// makePlan makes the plan of a run that starts an application or, for --wait, does not.
func makePlan(s settings, application bool) plan {
	p := plan{targets: s.WaitFor}
	if application {
		p.quits, p.supervise = withoutRepeats(s.Quit), s.Supervise.isAskedFor()
	}
	p.subject = subjectOf(slices.Concat(p.targets, p.quits))
	var note string
	if p.injection, note = injectionOf(s.SidecarStatus, p.subject); note != "" {
		p.notes = append(p.notes, hint{note, anchorNotInjected})
	}
	if p.injection == nativeIstio {
		p.dropQuits(isIstio, "istio is a native sidecar, which the kubelet stops")
	}
	if !s.SidecarStatus.set && slices.ContainsFunc(p.quits, isIstio) {
		p.lacksStatus = true
		p.notes = append(p.notes, hint{envQuit + " has istio and " + envSidecarStatus + " is not set, so where nothing is injected the end is delayed. " +
			"startgate --check prints what to add to the container's env", anchorSlow})
	}
	return p
}

// manifestLines hand the pod's annotation over.
const manifestLines = `- name: STARTGATE_SIDECAR_STATUS
  valueFrom:
    fieldRef: {fieldPath: "metadata.annotations['sidecar.istio.io/status']"}`

// withoutRepeats returns each target once.
func withoutRepeats(list []wait.Target) (once []wait.Target) {
	for _, target := range list {
		if !slices.ContainsFunc(once, func(other wait.Target) bool { return other.Name == target.Name }) {
			once = append(once, target)
		}
	}
	return once
}

// find returns the first target of the plan that is one of those.
func (p plan) find(those func(wait.Target) bool) (target wait.Target, ok bool) {
	all := slices.Concat(p.targets, p.quits)
	i := slices.IndexFunc(all, those)
	if i < 0 {
		return wait.Target{}, false
	}
	return all[i], true
}

// without returns the plan for a pod in which some sidecars are not waited for, and some are
// not shut down.
func (p plan) without(skipped, absent func(wait.Target) bool) plan {
	p.targets = slices.DeleteFunc(slices.Clone(p.targets), skipped)
	p.dropQuits(absent, "the pod is not injected")
	return p
}

// dropQuits leaves the shutdown of some sidecars out, for this reason.
func (p *plan) dropQuits(which func(wait.Target) bool, reason string) {
	if slices.ContainsFunc(p.quits, which) {
		p.quits, p.noQuits = slices.DeleteFunc(slices.Clone(p.quits), which), reason
	}
}

// The names of how the hand-over is done.
const (
	modeReplace   = "replace"
	modeSupervise = "supervise"
)

// mode returns how the hand-over is done, and why.
func (p plan) mode() (mode, why string) {
	switch {
	case len(p.quits) > 0:
		return modeSupervise, "to shut down " + quits(p.quits).String()
	case p.supervise:
		return modeSupervise, envSupervise
	case p.noQuits != "":
		return modeReplace, p.noQuits
	}
	return modeReplace, "nothing needs a parent"
}

// proxyUser is whom Istio's redirect leaves alone: its proxy.
const proxyUser = 1337

// userNote is a warning about a user ID whose traffic does not go through the mesh.
func (p plan) userNote(uid int) (note hint, ok bool) {
	text := fmt.Sprintf("running as uid %d, the proxy's own user: startgate's and the application's traffic bypasses the proxy; "+
		"set a different runAsUser", proxyUser)
	return hint{text, anchorProxyUser}, uid == proxyUser && slices.ContainsFunc(p.targets, isIstio)
}
