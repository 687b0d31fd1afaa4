package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/startgate/startgate/wait"
)

// injection is what the pod's annotation says of the sidecars that a webhook injects.
type injection int

const (
	unknownInjection injection = iota // not set, or not understood: as if injected
	notInjected                       // set and empty: no webhook has annotated the pod
	injected                          // set: the sidecar is a container beside the application's
	nativeIstio                       // istio is an init container that the kubelet stops
)

// proxyContainer is the name of Istio's sidecar in a pod.
const proxyContainer = "istio-proxy"

// isInjectable reports whether a webhook injects the sidecar, and annotates the pod.
func isInjectable(target wait.Target) bool {
	return target.Sidecar != nil && target.Sidecar.Injected != ""
}

// injectionOf reads the annotation of a pod that has these injectable sidecars. The note is
// a warning about one that cannot be understood.
func injectionOf(status annotation, sidecars []wait.Target) (in injection, note string) {
	switch {
	case !status.set:
		return unknownInjection, ""
	case status.value == "":
		return notInjected, ""
	}
	// Istio's lists the containers. The others have no form of their own.
	var list struct{ Containers, InitContainers []string }
	err := json.Unmarshal([]byte(status.value), &list)
	switch {
	case err == nil && slices.Contains(list.InitContainers, proxyContainer):
		return nativeIstio, ""
	case err == nil && slices.Contains(list.Containers, proxyContainer),
		slices.ContainsFunc(sidecars, func(target wait.Target) bool { return !isIstio(target) }):
		return injected, ""
	}
	return unknownInjection, envSidecarStatus + " is not the annotation sidecar.istio.io/status of an injected pod; " +
		"waiting as if it were. It comes from fieldPath: \"metadata.annotations['sidecar.istio.io/status']\""
}

// Signs of a sidecar.
const (
	noSign         = ""
	portAnswers    = "its port answers"
	redirectToNone = "outbound traffic is redirected to a proxy that does not listen"
)

// signOf returns what shows that a sidecar exists in a pod that is said not to be injected.
func signOf(ctx context.Context, target wait.Target) string {
	switch {
	case target.Listens(ctx):
		return portAnswers
	case target.Sidecar.Mesh && wait.Redirected(ctx):
		return redirectToNone
	}
	return noSign
}

// look finds out which injectable sidecars a pod has that is said not to be injected. A
// sign that has gone takes its conclusion back.
func (g *gate) look(ctx context.Context) error {
	if g.plan.injection != notInjected {
		return nil
	}
	timed, cancel := context.WithTimeout(ctx, time.Duration(g.settings.AttemptTimeout))
	defer cancel()
	g.signs = map[string]string{}
	for _, target := range g.plan.injectable() {
		g.signs[target.Name] = signOf(timed, target)
	}
	return context.Cause(ctx)
}

// isAbsent reports whether an injectable sidecar is neither said nor seen to be in the pod.
func (g *gate) isAbsent(target wait.Target) bool {
	return g.plan.injection == notInjected && isInjectable(target) && g.signs[target.Name] == noSign
}

// unservedPatience is how long startgate waits for a proxy that outbound traffic is
// redirected to, in a pod that is said not to be injected. The redirect may be another
// mesh's, or no redirect at all: see [wait.Redirected].
const unservedPatience = 10 * time.Second

// lookAgain is called when a target refuses. It ends the wait for a sidecar in a pod that is
// said not to be injected, once no sign of it is left.
func (p *progress) lookAgain(ctx context.Context, end context.CancelCauseFunc) {
	if p.plan.injection != notInjected || !isInjectable(p.target) {
		return
	}
	sign := signOf(context.WithoutCancel(ctx), p.target) // a test that is cut short finds no sign
	switch {
	case sign == portAnswers:
		return
	case sign == noSign:
		p.log.Info(p.target.Name+" is not waited for: there is no sign of it any more", "after", time.Since(p.began).Round(time.Millisecond))
	case time.Since(p.began) < p.unserved():
		return
	default:
		p.log.Warn(p.target.Name+" is not waited for: "+sign+", and "+envSidecarStatus+" is empty", "after", time.Since(p.began).Round(time.Millisecond))
	}
	p.signs[p.target.Name] = noSign
	end(wait.ErrAbsent)
}

// unserved is unservedPatience, or less when the whole wait may not take so long.
func (p *progress) unserved() time.Duration {
	if limit := time.Duration(p.settings.Timeout); limit > 0 {
		return min(unservedPatience, limit/2)
	}
	return unservedPatience
}
