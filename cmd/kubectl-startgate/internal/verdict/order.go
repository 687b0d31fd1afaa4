package verdict

import (
	"fmt"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// nativeWithoutProbe is a native sidecar for which the kubelet does not wait.
func nativeWithoutProbe(c *Case) *Verdict {
	for _, s := range c.Sidecars {
		early := of(in(c.hits(timeline.Refused), starting), s)
		if !s.Native || s.Spec.StartupProbe != nil || len(early) == 0 {
			continue
		}
		return &Verdict{
			Name: NativeNoProbe, Severity: Problem,
			Summary:  fmt.Sprintf("%s is a native sidecar without a startupProbe: the kubelet starts it first and does not wait for it; %s was refused %s", s.Name, early[0].app.Name, times(len(early))),
			Evidence: append(append(known(early[0].run.Started, c.startOf(early[0])), shown(early)...), known(early[0].run.Ready)...),
			Cures:    c.nativeCures(early[0].app, s),
		}
	}
	return nil
}

// hookLimit is how long Istio's hook of holdApplicationUntilProxyStarts lasts at most.
const hookLimit = 60 * time.Second

// holdRanOut is a hook that was to hold the application, and did not.
func holdRanOut(c *Case) *Verdict {
	for _, s := range c.Sidecars {
		if !s.hasHook() && c.Pod != nil || s.Native {
			continue
		}
		failed := first(c.Timeline.Of(s.Name, timeline.HookFailed))
		for _, app := range c.Apps {
			began := c.began(app)
			ranOut := failed.Known() || s.lasted(began)
			early := of(in(c.hits(timeline.Refused, timeline.Reset), starting, restarting), s)
			if !ranOut || !s.isBefore(app.Place) && c.Pod != nil || len(early) == 0 && s.Current().Ready.Known() && !failed.Known() {
				continue
			}
			return &Verdict{
				Name: HoldRanOut, Severity: Problem,
				Summary:  fmt.Sprintf("the hook that holds %s until %s is ready %s, and the kubelet started %s all the same%s", app.Name, s.Name, howItEnded(failed), app.Name, c.butHeld(app)),
				Evidence: append(known(s.Runs[0].Started, failed, began), shown(early)...),
				Cures:    c.holdCures(app, s),
			}
		}
	}
	return nil
}

// butHeld says that startgate is before the application.
func (c *Case) butHeld(app sidecar.Container) string {
	if c.isGated(app) {
		return "; startgate waits in it"
	}
	return ""
}

func howItEnded(failed Entry) string {
	if failed.Known() {
		return "failed"
	}
	return "ran into its limit"
}

// lasted reports whether the hook took its whole time before the application began.
func (s Sidecar) lasted(began Entry) bool {
	run := s.Runs[0]
	return run.Started.Known() && began.Known() && began.At.Sub(run.Started.At) >= hookLimit &&
		(!run.Ready.Known() || began.Before(run.Ready))
}

// isBefore reports whether the kubelet starts the sidecar before the container in this place.
func (s Sidecar) isBefore(place int) bool { return s.Place < place }
