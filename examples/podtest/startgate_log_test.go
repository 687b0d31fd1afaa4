//go:build linux

package podtest

// Texts that more than one test looks for in the logs of startgate and the stand-in.

import "fmt"

// Texts in startgate's log.
const (
	logNotAsked    = "not shutting down istio"
	logIstioGone   = "istio is gone already"
	logNeverSeen   = "istio never answered; if it starts later, the pod will not complete"
	logDraining    = "istio accepted the shutdown request and is still draining"
	logRefused     = "linkerd did not accept the shutdown request: "
	logNativeIstio = "istio is a native sidecar, which the kubelet stops"
	logNotInjected = "the pod is not injected"
)

// logExited is what a supervising startgate logs when the program has exited.
func logExited(program string, code int) string {
	return fmt.Sprintf(`%s exited" code=%d `, program, code)
}

// standinAsked is what the stand-in logs when it gets a request to shut down.
const standinAsked = "was asked to shut down"
