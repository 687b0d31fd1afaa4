package verdict

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// A proxy ends at any time after it became ready, and its restart takes any time. The kubelet tells of both in whole
// seconds, and of the end a moment late. The verdict is always the same, also if all of it happens right after the start.
func TestRestartTimes(t *testing.T) {
	for _, first := range []time.Duration{450 * time.Millisecond, 5300 * time.Millisecond} {
		t.Run(first.String(), func(t *testing.T) { testRestartTimes(t, first) })
	}
}

// testRestartTimes is TestRestartTimes, of a proxy that was first ready so long after its start.
func testRestartTimes(t *testing.T, first time.Duration) {
	const step = 170 * time.Millisecond
	for ended := step; ended < 2*time.Second; ended += step {
		for noticed := time.Duration(0); noticed < time.Second; noticed += 3 * step {
			for back := step; back < 2*time.Second; back += step {
				for _, early := range []bool{true, false} {
					got := Decide(NewCase(restarted(first, ended, ended+noticed, ended+noticed+back, early), time.Time{}))
					if len(got) != 1 || got[0].Name != ProxyRestarted {
						t.Errorf("ended %v after its readiness, noticed %v later, back after %v, refused at the start: %t: %+v", ended, noticed, back, early, got)
					}
				}
			}
		}
	}
}

// Of a pod that is gone, its application's log tells that it ran before the proxy ended.
func TestRestartInAPodThatIsGone(t *testing.T) {
	e := restarted(5300*time.Millisecond, 500*time.Millisecond, time.Second, 3*time.Second, true)
	e.Pod = nil
	if got := Decide(NewCase(e, time.Time{})); len(got) != 1 || got[0].Name != ProxyRestarted {
		t.Errorf("%+v", got)
	}
}

// restarted is the evidence of a proxy that was ready so long after its start, and ended and was back at these times
// after that. Its application asks again and again. Early says that it was refused before that readiness too.
func restarted(first, ended, noticed, back time.Duration, early bool) *evidence.Evidence {
	start := time.Date(2026, 11, 22, 10, 41, 58, 0, time.UTC)
	ready := start.Add(first)
	again := ready.Add(back + 250*time.Millisecond)
	var app strings.Builder
	for at := start.Add(100 * time.Millisecond); at.Before(again.Add(3 * time.Second)); at = at.Add(200 * time.Millisecond) {
		isReady := !at.Before(ready) && at.Before(ready.Add(ended)) || !at.Before(again)
		switch {
		case isReady:
			fmt.Fprintf(&app, "%s PONG\n", at.Format(time.RFC3339Nano))
		case early || at.After(ready):
			fmt.Fprintf(&app, "%s dial tcp 10.20.0.2:6379: connect: connection refused\n", at.Format(time.RFC3339Nano))
		}
	}
	proxy := func(times ...time.Time) []byte {
		var log strings.Builder
		for i, at := range times {
			fmt.Fprintf(&log, "%s %s\n", at.Format(time.RFC3339Nano), []string{"Opening status port", "Envoy proxy is ready"}[i])
		}
		return []byte(log.String())
	}
	return &evidence.Evidence{
		Namespace: "shop", Name: "web", Pod: restartedPod(start, ready.Add(noticed), ready.Add(back), again), Taken: again.Add(5 * time.Second),
		Logs: []evidence.Log{
			{Container: "web", Lines: evidence.Bytes([]byte(app.String()))},
			{Container: "istio-proxy", Previous: true, Lines: evidence.Bytes(proxy(start, ready))},
			{Container: "istio-proxy", Lines: evidence.Bytes(proxy(ready.Add(back), again))},
		},
	}
}

// restartedPod is the pod's status, whose times have whole seconds.
func restartedPod(start, ended, back, ready time.Time) *corev1.Pod {
	whole := func(at time.Time) metav1.Time { return metav1.NewTime(at.Truncate(time.Second)) }
	running := func(at time.Time) corev1.ContainerState {
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: whole(at)}}
	}
	return &corev1.Pod{
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web"}, {Name: "istio-proxy"}}},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: whole(ready)}},
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "web", Ready: true, State: running(start)},
				{
					Name: "istio-proxy", Ready: true, RestartCount: 1, State: running(back),
					LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: whole(start), FinishedAt: whole(ended), ExitCode: 137}},
				},
			},
		},
	}
}
