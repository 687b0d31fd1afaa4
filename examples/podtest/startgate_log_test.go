//go:build linux

package podtest

// Texts that more than one test looks for in the logs of startgate and the stand-in.

import "fmt"

// Texts in startgate's log.
const (
	logNotAsked    = "event=quit_skipped target=istio "
	logComesLate   = "event=quit_waiting target=istio"
	logIstioGone   = "event=quit_gone target=istio "
	logNeverSeen   = "event=quit_never_seen target=istio "
	logDraining    = `is still draining" logger=startgate event=quit_accepted target=istio `
	logRefused     = "event=quit_rejected target=linkerd "
	logNativeIstio = "istio is a native sidecar, which the kubelet stops"
	logNotInjected = "the pod is not injected"
)

// logExited is what a supervising startgate logs when the program has exited.
func logExited(program string, code int) string {
	return fmt.Sprintf(`%s exited" logger=startgate event=exited code=%d `, program, code)
}

// standinAsked is what the stand-in logs when it gets a request to shut down.
const standinAsked = "was asked to shut down"
