package verdict

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

// workload returns what a user would patch.
func (c *Case) workload() cure.Workload {
	if c.Owner.Name != "" {
		return cure.NewWorkload(c.scope(), c.Owner.Kind, c.Owner.Name)
	}
	return cure.NewWorkload(c.scope(), "Pod", c.Name)
}

func (c *Case) scope() cure.Scope { return cure.Scope{Namespace: c.Namespace, Context: c.Context} }

// kubectl returns a command about the pod.
func (c *Case) kubectl(args ...string) string { return c.scope().Kubectl(args...) }

// appSpec returns a container as the workload has it, without what webhooks have added.
func (c *Case) appSpec(app sidecar.Container) *corev1.Container {
	if c.Owner.Template != nil {
		for i := range c.Owner.Template.Spec.Containers {
			if c.Owner.Template.Spec.Containers[i].Name == app.Name {
				return &c.Owner.Template.Spec.Containers[i]
			}
		}
	}
	return app.Spec
}

// startgate puts startgate before an application, unless it is there.
func (c *Case) startgate(app sidecar.Container, s Sidecar) []cure.Cure {
	if c.isGated(app) {
		return nil
	}
	return []cure.Cure{cure.Startgate(c.workload(), app.Name, c.appSpec(app), cure.Gate{WaitFor: waitFor(s), Injected: s.Kind.Injected})}
}

// isGated reports whether startgate is before an application: its log shows it, or its manifest.
func (c *Case) isGated(app sidecar.Container) bool {
	return len(c.Timeline.Of(app.Name, timeline.Gate)) > 0 || app.IsGated()
}

// waitFor returns the target that stands for a sidecar.
func waitFor(s Sidecar) string {
	if s.Kind.Name == "vault" {
		return "file:///vault/secrets/" + cure.Blank
	}
	return s.Kind.Name
}

// orderCures are those of an application that starts before its sidecar, cheapest first.
func (c *Case) orderCures(app sidecar.Container, s Sidecar) (cures []cure.Cure) {
	if hold := cure.Hold(c.workload(), s.Kind.Name, c.annotation("proxy.istio.io/config")); hold != nil {
		cures = append(cures, *hold)
	}
	return append(append(cures, cure.Native(c.workload(), s.Kind.Name, s.Name)), c.startgate(app, s)...)
}

// codeOfReboot is the exit code of a container that the runtime finds ended after the node was rebooted.
const codeOfReboot = 255

// raceCures are those of an application that was refused before its sidecar was ready. If the sidecar alone was
// restarted, and not the pod, the kubelet does not start them in order.
func (c *Case) raceCures(h hit) []cure.Cure {
	if h.ended.Known() && h.ended.Code != codeOfReboot {
		return append(c.startgate(h.app, h.sidecar), c.findOut(h.sidecar, h.ended, ""))
	}
	return c.orderCures(h.app, h.sidecar)
}

// findOut says where to look why a sidecar ended, and what more there is to say.
func (c *Case) findOut(s Sidecar, ended Entry, more string) cure.Cure {
	return cure.Note("find out why it ended", fmt.Sprintf("%s %s. See %s.%s", s.Name, orEnded(ended), c.kubectl("logs", c.Name, "-c", s.Name, "--previous"), more))
}

func (c *Case) holdCures(app sidecar.Container, s Sidecar) []cure.Cure {
	return append([]cure.Cure{cure.Native(c.workload(), s.Kind.Name, s.Name)}, c.startgate(app, s)...)
}

func (c *Case) nativeCures(app sidecar.Container, s Sidecar) []cure.Cure {
	probe := cure.Note("give "+s.Name+" a startupProbe", "The kubelet waits for a native sidecar only if it has one. Where a webhook makes the container, it is a setting of the mesh (Istio: values.global.proxy.startupProbe.enabled).")
	return append([]cure.Cure{probe}, c.startgate(app, s)...)
}

func (c *Case) shutdownCures(app sidecar.Container, s Sidecar) (cures []cure.Cure) {
	if s.Kind.Name == "istio" {
		cures = append(cures, cure.Drain(c.workload(), c.annotation("proxy.istio.io/config")))
	} else {
		cures = append(cures, cure.Note("let the sidecar outlive the application", "Give "+s.Name+" a preStop hook that sleeps as long as "+app.Name+" takes to end."))
	}
	return append(cures, cure.Native(c.workload(), s.Kind.Name, s.Name))
}

func (c *Case) initCures(init sidecar.Container, s Sidecar, target string) (cures []cure.Cure) {
	if strings.HasPrefix(init.Name, "vault-agent") {
		cures = append(cures, cure.NoInitAgent(c.workload()))
	}
	if len(c.gateLines(init, timeline.GateWaiting)) > 0 {
		cures = append(cures, cure.Note("wait in the application's container", "Take startgate out of the init container "+init.Name+": only a native sidecar is there before it."))
	}
	host, _ := split(target)
	if s.Kind.Name == "istio" && isIP(host) {
		cures = append(cures, cure.ExcludeAddress(c.workload(), host+"/32"))
	}
	return append(cures, cure.Native(c.workload(), s.Kind.Name, s.Name))
}

func (c *Case) jobCures(s Sidecar) (cures []cure.Cure) {
	if s.Kind.Name == "istio" { // of the others, the image has nothing that could do it
		cures = append(cures, cure.Note("end this one now", c.kubectl("exec", c.Name, "-c", s.Name, "--", "pilot-agent", "request", "POST", "quitquitquit")))
	}
	cures = append(cures, cure.Native(c.workload(), s.Kind.Name, s.Name))
	app := c.Apps[len(c.Apps)-1]
	if c.isGated(app) {
		return append(cures, cure.Quit(c.workload(), app.Name, s.Kind.Name))
	}
	gate := cure.Startgate(c.workload(), app.Name, c.appSpec(app), cure.Gate{WaitFor: waitFor(s), Quit: s.Kind.Name, Injected: s.Kind.Injected})
	gate.Text += " With STARTGATE_QUIT it shuts the sidecar down when the application has ended."
	return append(cures, gate)
}
