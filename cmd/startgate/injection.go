package main

import (
	"encoding/json"
	"slices"
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
