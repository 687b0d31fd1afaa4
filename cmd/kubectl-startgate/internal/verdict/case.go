// Package verdict says which of the known problems a pod has.
package verdict

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// Entry is an entry of a timeline.
type Entry = timeline.Entry

// Case is what the verdicts are made of.
type Case struct {
	*evidence.Evidence
	Timeline *timeline.Timeline
	Now      time.Time // when the evidence was taken
	Apps     []sidecar.Container
	Inits    []sidecar.Container
	Sidecars []Sidecar
}

// NewCase looks at the evidence of one pod, at most up to at.
func NewCase(e *evidence.Evidence, at time.Time) *Case {
	t := timeline.Build(e, at)
	c := &Case{Evidence: e, Timeline: t, Now: e.Taken}
	if !at.IsZero() {
		c.Now = at
	}
	if c.Now.IsZero() {
		c.Now = t.End()
	}
	for _, container := range t.Containers {
		switch {
		case container.Kind != nil:
			c.Sidecars = append(c.Sidecars, newSidecar(t, container, c.Pod))
		case container.Init:
			c.Inits = append(c.Inits, container)
		case container.IsApp() && (e.Only == "" || e.Only == container.Name):
			c.Apps = append(c.Apps, container)
		}
	}
	return c
}

// restarts returns how often a container was restarted.
func restarts(c sidecar.Container) int {
	if c.Status == nil {
		return 0
	}
	return int(c.Status.RestartCount)
}

// began returns when the first run of a container that may be known began.
func (c *Case) began(container sidecar.Container) Entry {
	for _, entry := range c.Timeline.Of(container.Name, timeline.Started) {
		if restarts(container) == 0 || entry.Previous && restarts(container) == 1 {
			return entry
		}
	}
	if c.Pod != nil && c.Pod.Status.StartTime != nil {
		return Entry{At: c.Pod.Status.StartTime.UTC(), Resolution: time.Second, Source: "kubelet", Kind: timeline.Scheduled, Text: "the pod begins"}
	}
	return c.firstLine()
}

// firstLine returns the first line of all logs, for a pod that is gone. Its containers have begun not long before.
func (c *Case) firstLine() (first Entry) {
	for _, log := range c.Timeline.Logs {
		if log.First.Known() && (!first.Known() || log.First.At.Before(first.At)) {
			first = Entry{At: log.First.At.Add(-time.Minute), Resolution: time.Second}
		}
	}
	return first
}

// failures returns what an application says of failed connections. What happened before its first
// start or after now, it tells of something else.
func (c *Case) failures(app sidecar.Container, kinds ...timeline.Kind) (found []Entry) {
	began := c.began(app)
	for _, entry := range c.Timeline.Of(app.Name, kinds...) {
		isOlder := began.Known() && entry.Before(began)
		isLater := !c.Now.IsZero() && entry.At.After(c.Now.Add(5*time.Second))
		if entry.Known() && !isOlder && !isLater {
			found = append(found, entry)
		}
	}
	return found
}

// untimed reports whether the application was refused and nobody knows when.
func (c *Case) untimed(app sidecar.Container) bool {
	return slices.ContainsFunc(c.Timeline.Of(app.Name, timeline.Refused), func(e Entry) bool { return !e.Known() })
}

// annotation returns an annotation of the pod.
func (c *Case) annotation(name string) string {
	if c.Pod == nil {
		return ""
	}
	return c.Pod.Annotations[name]
}

// excluded says why the traffic to a target does not go through the mesh's proxy.
func (c *Case) excluded(app sidecar.Container, target string) string {
	if uid := c.uid(app); uid == proxyUID {
		return "it runs as uid 1337, the proxy's own, whose traffic is not redirected"
	}
	if timeline.IsLoopback(target) {
		return "the target is in the pod itself"
	}
	host, port := split(target)
	for _, name := range []string{"traffic.sidecar.istio.io/excludeOutboundPorts", "config.linkerd.io/skip-outbound-ports", "traffic.kuma.io/exclude-outbound-ports", "consul.hashicorp.com/transparent-proxy-exclude-outbound-ports"} {
		if port != "" && slices.Contains(list(c.annotation(name)), port) {
			return "its port is excluded by the annotation " + name
		}
	}
	if name := "traffic.sidecar.istio.io/excludeOutboundIPRanges"; inRanges(host, c.annotation(name)) {
		return "its address is excluded by the annotation " + name
	}
	if name := "traffic.sidecar.istio.io/includeOutboundIPRanges"; c.annotation(name) != "" && c.annotation(name) != "*" && isIP(host) && !inRanges(host, c.annotation(name)) {
		return "its address is not in the annotation " + name
	}
	return ""
}

// proxyUID is the user of Istio's proxy.
const proxyUID = 1337

func (c *Case) uid(app sidecar.Container) int64 {
	if app.Spec != nil && app.Spec.SecurityContext != nil && app.Spec.SecurityContext.RunAsUser != nil {
		return *app.Spec.SecurityContext.RunAsUser
	}
	if c.Pod != nil && c.Pod.Spec.SecurityContext != nil && c.Pod.Spec.SecurityContext.RunAsUser != nil {
		return *c.Pod.Spec.SecurityContext.RunAsUser
	}
	return -1
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func split(target string) (host, port string) {
	if i := strings.LastIndexByte(target, ':'); i >= 0 && !strings.HasSuffix(target, "]") {
		return strings.Trim(target[:i], "[]"), target[i+1:]
	}
	return strings.Trim(target, "[]"), ""
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func inRanges(host, ranges string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(list(ranges), func(text string) bool {
		prefix, err := netip.ParsePrefix(text)
		return err == nil && prefix.Contains(addr)
	})
}

// isReady reports whether the pod is ready now.
func (c *Case) isReady() bool {
	return c.Pod != nil && slices.ContainsFunc(c.Pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// isGoing reports whether the pod is being deleted.
func (c *Case) isGoing() bool { return c.Pod != nil && c.Pod.DeletionTimestamp != nil }
