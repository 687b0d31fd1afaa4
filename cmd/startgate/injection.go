package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/startgate/startgate/wait"
)

// injection is what the annotation sidecar.istio.io/status says of the pod.
type injection int

const (
	unknownInjection injection = iota // not set, or not understood: as if classic
	notInjected                       // set and empty: the webhook did not annotate the pod
	classicSidecar                    // istio-proxy is a container beside the application's
	nativeSidecar                     // istio-proxy is an init container that the kubelet stops
)

// proxyContainer is the name of Istio's sidecar in a pod.
const proxyContainer = "istio-proxy"

// injectionOf reads the annotation. The note is a warning about one that cannot be
// understood.
func injectionOf(status annotation) (in injection, note string) {
	if !status.set {
		return unknownInjection, ""
	}
	if status.value == "" {
		return notInjected, ""
	}
	var list struct{ Containers, InitContainers []string }
	err := json.Unmarshal([]byte(status.value), &list)
	switch {
	case err == nil && slices.Contains(list.InitContainers, proxyContainer):
		return nativeSidecar, ""
	case err == nil && slices.Contains(list.Containers, proxyContainer):
		return classicSidecar, ""
	}
	return unknownInjection, envSidecarStatus + " is not the annotation sidecar.istio.io/status of an injected pod; " +
		"waiting as if it were. It comes from fieldPath: \"metadata.annotations['sidecar.istio.io/status']\""
}

// presence is what was seen of the istio of a pod that is said not to be injected.
type presence struct {
	absent bool   // there is no sign of it, so nobody waits for it or shuts it down
	sign   string // what shows that it exists all the same; empty: nothing
}

// lookForIstio finds out whether a pod that is said not to be injected really has no
// istio. It asks only where the plan has istio, and takes attempt at most.
func lookForIstio(ctx context.Context, p plan, attempt time.Duration) presence {
	target := p.istio()
	if p.injection != notInjected || target == nil {
		return presence{}
	}
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	sign := signOfSidecar(ctx, *target)
	return presence{absent: sign == "", sign: sign}
}

// signOfSidecar returns what shows that the sidecar exists, or nothing.
func signOfSidecar(ctx context.Context, target wait.Target) string {
	if target.Listens(ctx) {
		return "its port answers"
	}
	if wait.Redirected(ctx) {
		return "outbound traffic is redirected to a proxy that does not listen"
	}
	return ""
}
