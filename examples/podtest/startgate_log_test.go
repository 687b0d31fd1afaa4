//go:build linux

package podtest

// Texts that more than one test looks for in the logs of startgate and the stand-in.

import "fmt"

// Texts in startgate's log.
const (
	logNotAsked    = "not telling istio to quit"
	logIstioGone   = "istio is gone already"
	logNeverSeen   = "istio was never seen, and may still start and keep the pod"
	logDraining    = "istio accepted the quit and is still draining"
	logRefused     = "linkerd did not accept the quit: "
	logNativeIstio = "istio is a native sidecar, which the kubelet stops"
	logNotInjected = "the pod is not injected"
)

// logExited is what a supervising startgate logs when the program has exited.
func logExited(program string, code int) string {
	return fmt.Sprintf(`%s is over" code=%d `, program, code)
}

// standinAsked is what the stand-in logs when it gets a request to shut down.
const standinAsked = "was asked to shut down"
