//go:build linux

package podtest

// What a container's restart does: startgate waits again, and with a setting that does
// not fit the policy it waits in vain.

import (
	"fmt"
	"strings"
	"testing"
)

// With restartPolicy OnFailure and STARTGATE_QUIT_ON=always the first failure shuts the
// sidecar down, for good, because the sidecar exits with 0. All later tries wait in vain.
func TestOnFailureQuitAlways(t *testing.T) {
	needPods(t)
	t.Parallel()
	// The first try must see the sidecar ready, on a busy machine too. Each later try
	// takes both times to its end.
	settings := []string{"STARTGATE_QUIT=istio", "STARTGATE_TIMEOUT=20s", "STARTGATE_QUIT_TIMEOUT=5s"}
	p := startPod(t, jobPod("OnFailure", settings, once("exit 3"), nil))
	p.waitForLog("app", "code=124", 1)
	p.checkLog("app", "code=3", "istio not ready after ")
	if strings.Count(p.log("istio-proxy"), "is ready") != 1 {
		t.Errorf("the sidecar was restarted:\n%s", p.log("istio-proxy"))
	}
}

// A Deployment's container is restarted, however it has exited, and waits again.
func TestRestartPolicyAlways(t *testing.T) {
	needPods(t)
	const first = "[ -e /state/tried ] || { touch /state/tried; echo working; exit %d; }; " + worksForever
	for name, test := range map[string]struct {
		script string
		do     func(*pod)
	}{
		"exits with 0":           {fmt.Sprintf(first, 0), nil},
		"fails":                  {fmt.Sprintf(first, 3), nil},
		"livenessProbe fails":    {exitsOnTERM, terminate},
		"killed with everything": {worksForever, killContainer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPod(t, jobPod("Always", nil, test.script, nil))
			if test.do != nil {
				test.do(p)
			}
			p.waitForLog("app", "working", 2)
			p.waitForLog("app", "istio is ready", 2)
			p.checkLog("app", "mode=replace")
			if n := strings.Count(p.log("istio-proxy"), "listens"); n != 1 {
				t.Errorf("the sidecar was started %d times:\n%s", n, p.log("istio-proxy"))
			}
		})
	}
}
