package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/startgate/startgate/wait"
)

// pod is what there is to do in the pod that this runs in.
type pod struct {
	targets   []wait.Target // to wait for
	quits     []wait.Target // to tell to quit
	supervise bool
	why       string          // the mode is what it is
	skipped   string          // what is not waited for, and why; empty: nothing
	notes     []string        // warnings
	seen      map[string]bool // the targets that have answered, by name
}

// mode is the name of how the hand-over is done.
func (p pod) mode() string {
	if p.supervise {
		return "supervise"
	}
	return "replace"
}

// istio is the name of the sidecar that the annotation is about.
const istio = "istio"

func isIstio(target wait.Target) bool {
	return target.Sidecar != nil && target.Sidecar.Name == istio
}

// lookAround finds out what there is to do in this pod, which may take half a
// second.
func (g *gate) lookAround(ctx context.Context) error {
	in, note := injectionOf(g.config.SidecarStatus)
	g.pod = pod{targets: g.config.WaitFor, quits: slices.Clone(g.config.Quit), seen: map[string]bool{}}
	if note != "" {
		g.pod.notes = append(g.pod.notes, note)
	}
	why := "nothing needs a parent"
	if in == notInjected && g.isIstioAbsent(ctx) {
		g.pod.targets = slices.DeleteFunc(slices.Clone(g.config.WaitFor), isIstio)
		g.pod.quits = slices.DeleteFunc(g.pod.quits, isIstio)
		why = "the pod is not injected"
	}
	if in == nativeSidecar {
		g.pod.quits = slices.DeleteFunc(g.pod.quits, isIstio)
		why = "istio is a native sidecar, which the kubelet stops"
	}
	g.pod.notes = append(g.pod.notes, g.warnings()...)
	g.choose(why)
	return context.Cause(ctx)
}

// choose chooses the mode; why is the reason for replacing, if it comes to that.
func (g *gate) choose(why string) {
	switch {
	case len(g.pod.quits) > 0:
		g.pod.supervise, g.pod.why = true, "to tell "+quits(g.pod.quits).String()+" to quit"
	case bool(g.config.Supervise):
		g.pod.supervise, g.pod.why = true, prefix+"_SUPERVISE"
	case len(g.config.Quit) > 0:
		g.pod.why = why
	default:
		g.pod.why = "nothing needs a parent"
	}
}

// isIstioAbsent tells whether there is no sign of the sidecar in a pod that is said
// not to be injected. Nothing is asked when nobody wants to know.
func (g *gate) isIstioAbsent(ctx context.Context) bool {
	i := slices.IndexFunc(g.config.WaitFor, isIstio)
	var target wait.Target
	if i >= 0 {
		target = g.config.WaitFor[i]
	} else if i = slices.IndexFunc(g.config.Quit, isIstio); i >= 0 {
		target = g.config.Quit[i]
	} else {
		return true
	}
	looking, cancel := context.WithTimeout(ctx, time.Duration(g.config.AttemptTimeout))
	defer cancel()
	sign := signOfSidecar(looking, target)
	if sign == "" {
		g.pod.skipped = "istio is not waited for: the pod is not injected (" + sidecarStatus + " is empty)"
		return true
	}
	g.pod.notes = append(g.pod.notes, "the pod seems to have istio although "+sidecarStatus+" is empty: "+sign)
	return false
}

// signOfSidecar returns what tells that the sidecar exists, or nothing.
func signOfSidecar(ctx context.Context, target wait.Target) string {
	if target.Listens(ctx) {
		return "its port answers"
	}
	if wait.Redirected(ctx) {
		return "outbound traffic is redirected to a proxy that does not listen"
	}
	return ""
}

// proxyUser is whom Istio's redirect leaves alone: its proxy.
const proxyUser = 1337

// warnings are about what is likely to be a mistake in this pod.
func (g *gate) warnings() []string {
	var notes []string
	if os.Getuid() == proxyUser && slices.ContainsFunc(g.pod.targets, isIstio) {
		notes = append(notes, fmt.Sprintf("this runs as uid %d, the proxy's own: its traffic goes past the proxy, "+
			"as the application's will; set another runAsUser", proxyUser))
	}
	if g.config.SidecarStatus == nil && slices.ContainsFunc(g.pod.quits, isIstio) {
		notes = append(notes, prefix+"_QUIT has istio and "+sidecarStatus+" is not set, so where nothing is injected the end is delayed. "+
			"Add to the container's env:\n"+manifestLines)
	}
	return notes
}

// manifestLines hand the pod's annotation over.
const manifestLines = `- name: STARTGATE_SIDECAR_STATUS
  valueFrom:
    fieldRef: {fieldPath: "metadata.annotations['sidecar.istio.io/status']"}`
