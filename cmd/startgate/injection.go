package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

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

// proxyUser is whom Istio's redirect leaves alone: its proxy.
const proxyUser = 1337

// injectionOf reads the annotation, nil when the variable is not set. The note
// is a warning about one that cannot be understood.
func injectionOf(status *string) (in injection, note string) {
	if status == nil {
		return unknownInjection, ""
	}
	if *status == "" {
		return notInjected, ""
	}
	var annotation struct{ Containers, InitContainers []string }
	err := json.Unmarshal([]byte(*status), &annotation)
	switch {
	case err == nil && slices.Contains(annotation.InitContainers, proxyContainer):
		return nativeSidecar, ""
	case err == nil && slices.Contains(annotation.Containers, proxyContainer):
		return classicSidecar, ""
	}
	return unknownInjection, sidecarStatus + " is not the annotation sidecar.istio.io/status of an injected pod; " +
		"waiting as if it were. It comes from fieldPath: \"metadata.annotations['sidecar.istio.io/status']\""
}

// targets returns what there is to wait for in this pod, and warnings.
func (g *gate) targets(ctx context.Context) (list []wait.Target, notes []string) {
	in, note := injectionOf(g.config.SidecarStatus)
	if note != "" {
		notes = append(notes, note)
	}
	if os.Getuid() == proxyUser && slices.ContainsFunc(g.config.WaitFor, isIstio) {
		notes = append(notes, fmt.Sprintf("this runs as uid %d, the proxy's own: its traffic goes past the proxy, "+
			"as the application's will; set another runAsUser", proxyUser))
	}
	for _, target := range g.config.WaitFor {
		if in == notInjected && isIstio(target) {
			sign := signOfSidecar(ctx, target)
			if sign == "" {
				g.log.Info("istio is not waited for: the pod is not injected (" + sidecarStatus + " is empty)")
				continue
			}
			notes = append(notes, "waiting for istio although "+sidecarStatus+" is empty: "+sign)
		}
		list = append(list, target)
	}
	return list, notes
}

func isIstio(target wait.Target) bool {
	return target.Sidecar != nil && target.Sidecar.Name == "istio"
}

// signOfSidecar returns what tells that the sidecar exists, or nothing.
func signOfSidecar(ctx context.Context, target wait.Target) string {
	for _, knock := range target.Knock {
		if knock.Probe(ctx).Outcome != wait.Refused {
			return "its port answers"
		}
	}
	if wait.Redirected(ctx) {
		return "outbound traffic is redirected to a proxy that does not listen"
	}
	return ""
}
