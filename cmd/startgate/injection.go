package main

import (
	"encoding/json"
	"slices"

	"github.com/startgate/startgate/wait"
)

// injection is what the pod's annotation says of the sidecar that it is about.
type injection int

const (
	unknownInjection injection = iota // not set, or not understood: as if injected
	notInjected                       // set and empty: no webhook has annotated the pod
	injected                          // set: the sidecar is a container beside the application's
	nativeIstio                       // istio is an init container that the kubelet stops
)

// istio is the name of the sidecar whose annotation is handed over by default.
const istio = "istio"

// proxyContainer is the name of Istio's sidecar in a pod.
const proxyContainer = "istio-proxy"

func isIstio(target wait.Target) bool { return isSidecar(target, istio) }

func isSidecar(target wait.Target, name string) bool {
	return target.Sidecar != nil && target.Sidecar.Name == name
}

// isInjectable reports whether a webhook injects the sidecar, and says so in the pod.
func isInjectable(target wait.Target) bool {
	return target.Sidecar != nil && target.Sidecar.Injected != ""
}

// subjectOf returns the name of the sidecar that the annotation is about: istio, or the only
// one of these that a webhook injects. There may be none.
func subjectOf(sidecars []wait.Target) string {
	var names []string
	for _, target := range sidecars {
		if isInjectable(target) && !slices.Contains(names, target.Sidecar.Name) {
			names = append(names, target.Sidecar.Name)
		}
	}
	switch {
	case slices.Contains(names, istio):
		return istio
	case len(names) == 1:
		return names[0]
	}
	return ""
}

// injectionOf reads the annotation of a pod. The note is a warning about one that cannot be
// understood.
func injectionOf(status annotation, subject string) (in injection, note string) {
	switch {
	case !status.set || subject == "":
		return unknownInjection, ""
	case status.value == "":
		return notInjected, ""
	}
	// Istio's lists the containers. The others have no form of their own.
	var list struct{ Containers, InitContainers []string }
	err := json.Unmarshal([]byte(status.value), &list)
	isList := err == nil && (list.Containers != nil || list.InitContainers != nil)
	switch {
	case isList && subject == istio && slices.Contains(list.InitContainers, proxyContainer):
		return nativeIstio, ""
	case isList && subject == istio && slices.Contains(list.Containers, proxyContainer):
		return injected, ""
	case !isList && subject != istio:
		return injected, ""
	}
	return unknownInjection, envSidecarStatus + " is not what an injected pod of " + subject + " has; waiting as if it were. It comes from fieldPath: " +
		`"` + fieldOf(subject) + `"`
}

// fieldOf returns the field of a pod that the webhook of a sidecar sets.
func fieldOf(name string) string {
	all := wait.Sidecars()
	i := slices.IndexFunc(all, func(s wait.Sidecar) bool { return s.Name == name })
	return all[i].Injected
}
