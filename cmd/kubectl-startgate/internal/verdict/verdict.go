package verdict

import (
	"fmt"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
)

// Name is the name of a verdict. The names are part of the output's schema.
type Name string

// All verdicts.
const (
	StartupRace    Name = "startup-race"
	RefusedAfter   Name = "refused-after-readiness"
	ShutdownRace   Name = "shutdown-race"
	ProxyRestarted Name = "proxy-restarted"
	DNSBeforeProxy Name = "dns-before-the-proxy"
	InitDeadlock   Name = "init-container-deadlock"
	JobKept        Name = "job-kept-by-its-sidecar"
	NeverReady     Name = "sidecar-never-ready"
	Gated          Name = "gated-and-stuck"
	ProbeBudget    Name = "probe-budget-too-small"
	HoldRanOut     Name = "hold-ran-out"
	NativeNoProbe  Name = "native-sidecar-without-startup-probe"
	NotInjected    Name = "not-injected"
	Ambient        Name = "ambient"
	HostNetwork    Name = "host-network"
	ProxyUser      Name = "uid-1337"
	Healthy        Name = "healthy"
	CannotTell     Name = "cannot-tell"
)

// Severity is how a verdict ends the program.
type Severity int

// Good means that nothing needs to be done.
const (
	Good Severity = iota
	Undecided
	Problem
)

// Verdict is what is the matter with a pod.
type Verdict struct {
	Name     Name
	Severity Severity
	Summary  string   // one line
	Evidence []Entry  // what shows it, in order
	Doubts   []string // why it may be otherwise; none if it is sure
	Cures    []cure.Cure
}

// check looks for one problem. It returns nil if the pod does not have it, or if that cannot be shown.
type check func(*Case) *Verdict

// checks are made in this order. The first verdict is the pod's; what others find is told too. What names a cause
// comes before what names its consequence.
var checks = []check{
	outsideMesh,
	initDeadlock,
	probeBudget,
	gated,
	jobDone,
	holdRanOut,
	nativeWithoutProbe,
	proxyRestarted,
	startupRace,
	refusedAfter,
	shutdownRace,
	dnsBeforeProxy,
	neverReady,
	jobFailed,
}

// Decide returns the verdict of a pod, and after it those of other problems that it has too.
func Decide(c *Case) []Verdict {
	var all []Verdict
	for _, check := range checks {
		if v := check(c); v != nil {
			all = append(all, *v)
		}
	}
	if len(all) > 0 {
		return all
	}
	if v := healthy(c); v != nil {
		return []Verdict{*v}
	}
	return []Verdict{*cannotTell(c)}
}

// clockOf writes a time of a day as exactly as it is known.
func clockOf(e Entry) string {
	if e.Resolution >= time.Second {
		return e.At.Format("15:04:05")
	}
	return e.At.Format("15:04:05.000")
}

// span writes a duration.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// times writes how often something happened.
func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// known leaves out entries that are not known.
func known(entries ...Entry) (found []Entry) {
	for _, entry := range entries {
		if entry.Known() || entry.Text != "" {
			found = append(found, entry)
		}
	}
	return found
}
