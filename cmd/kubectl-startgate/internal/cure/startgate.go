package cure

import (
	"fmt"
	"math"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// DefaultTimeout is the default of STARTGATE_TIMEOUT.
const DefaultTimeout = 5 * time.Minute

// start is what an application is given for its own start, beside the wait.
const start = time.Minute

// Blank marks what a user must fill in.
const Blank = "<FILL IN>"

// Gate is how startgate is put in.
type Gate struct {
	Image    string // an image that has startgate
	WaitFor  string // targets; istio if empty
	Quit     string // sidecars to shut down at the end
	Injected string // the field path that says whether the sidecar was injected
}

// Where the binary is in the container. In its own image it is /startgate, which a volume must not hide.
const (
	volume = "gate"
	folder = "/gate"
)

// Startgate puts startgate before a container.
func Startgate(w Workload, container string, spec *corev1.Container, gate Gate) Cure {
	image := gate.Image
	if image == "" {
		image = Blank
	}
	mount := []object{{"name": volume, "mountPath": folder}}
	c := object{"name": container, "env": gate.env(), "volumeMounts": mount}
	command, notes := gate.command(spec)
	c["command"] = command
	if image == Blank {
		notes = append(notes, Blank+" as image: one that has /startgate; docker build of startgate's repository makes it.")
	}
	if probe := widened(spec, DefaultTimeout); probe != nil {
		c["startupProbe"] = probe
	}
	patch := w.patch(object{"spec": object{
		"volumes":        []object{{"name": volume, "emptyDir": object{}}},
		"initContainers": []object{{"name": "startgate", "image": image, "command": []string{"/startgate", "--install", path.Join(folder, "startgate")}, "volumeMounts": mount}},
		"containers":     []object{c},
	}}, notes...)
	return Cure{ID: "startgate", Title: "put startgate before " + container, Patch: patch, By: gate.by(w, container), Text: "An init container brings the binary; the image stays as it is. It works with any sidecar and any Kubernetes."}
}

// Quit lets the startgate that is there shut a sidecar down.
func Quit(w Workload, container, sidecar string) Cure {
	env := []object{{"name": "STARTGATE_QUIT", "value": sidecar}}
	return Cure{
		ID: "quit", Title: "let startgate end it", Text: "With STARTGATE_QUIT it shuts the sidecar down when the application has ended.",
		Patch: w.patch(object{"spec": object{"containers": []object{{"name": container, "env": env}}}}),
	}
}

// by returns the command that prints the patch.
func (g Gate) by(w Workload, container string) string {
	if w.IsFixed() || w.isForeign() {
		return ""
	}
	args := []string{"startgate", "patch", strings.ToLower(w.Kind) + "/" + w.Name, "-c", container, "--image", "IMAGE"}
	if g.WaitFor != "" && g.WaitFor != "istio" {
		args = append(args, "--wait-for", g.WaitFor)
	}
	if g.Quit != "" {
		args = append(args, "--quit", g.Quit)
	}
	return w.Kubectl(args...)
}

func (g Gate) env() (env []object) {
	if g.WaitFor != "" && g.WaitFor != "istio" {
		env = append(env, object{"name": "STARTGATE_WAIT_FOR", "value": g.WaitFor})
	}
	if g.Quit != "" {
		env = append(env, object{"name": "STARTGATE_QUIT", "value": g.Quit})
	}
	if g.Injected != "" {
		env = append(env, object{"name": "STARTGATE_SIDECAR_STATUS", "valueFrom": object{"fieldRef": object{"fieldPath": g.Injected}}})
	}
	return env
}

// command returns startgate before the container's command. If the pod leaves that to the image, it must be filled in.
func (g Gate) command(spec *corev1.Container) (command, notes []string) {
	command = []string{path.Join(folder, "startgate"), "--"}
	switch {
	case spec != nil && len(spec.Command) > 0:
		return append(command, spec.Command...), nil
	case spec != nil && len(spec.Args) > 0:
		return append(command, Blank), []string{Blank + " in command: the image's ENTRYPOINT, as docker inspect shows it. The args stay."}
	}
	return append(command, Blank), []string{Blank + " in command: the image's ENTRYPOINT and after it its CMD, as docker inspect shows them. Kubernetes drops CMD when a pod sets command."}
}

// Budget returns how long a probe lets its container start.
func Budget(probe *corev1.Probe) time.Duration {
	period, failures := probe.PeriodSeconds, probe.FailureThreshold
	if period == 0 {
		period = 10
	}
	if failures == 0 {
		failures = 3
	}
	return time.Duration(probe.InitialDelaySeconds+period*failures) * time.Second
}

// widened returns the change of a startupProbe that allows for the wait, or nil if none is needed.
func widened(spec *corev1.Container, timeout time.Duration) object {
	if spec == nil {
		return nil
	}
	period := int32(2)
	need := timeout + start
	probe := object{}
	switch {
	case spec.StartupProbe != nil && Budget(spec.StartupProbe) >= need:
		return nil
	case spec.StartupProbe != nil:
		period = max(spec.StartupProbe.PeriodSeconds, 1)
		if spec.StartupProbe.PeriodSeconds == 0 {
			period = 10
		}
	case spec.LivenessProbe != nil && Budget(spec.LivenessProbe) < need:
		probe = handler(spec.LivenessProbe)
		probe["periodSeconds"] = period
	default:
		return nil
	}
	probe["failureThreshold"] = int(math.Ceil(need.Seconds() / float64(period)))
	return probe
}

// handler returns how a probe asks.
func handler(probe *corev1.Probe) object {
	switch {
	case probe.HTTPGet != nil:
		get := object{"port": probe.HTTPGet.Port}
		if probe.HTTPGet.Path != "" {
			get["path"] = probe.HTTPGet.Path
		}
		if probe.HTTPGet.Scheme != "" && probe.HTTPGet.Scheme != corev1.URISchemeHTTP {
			get["scheme"] = probe.HTTPGet.Scheme
		}
		return object{"httpGet": get}
	case probe.TCPSocket != nil:
		return object{"tcpSocket": object{"port": probe.TCPSocket.Port}}
	case probe.GRPC != nil:
		return object{"grpc": probe.GRPC}
	case probe.Exec != nil:
		return object{"exec": object{"command": probe.Exec.Command}}
	}
	return object{}
}

// StartupBudget gives a container more time to start.
func StartupBudget(w Workload, container string, spec *corev1.Container, timeout time.Duration) Cure {
	c := Cure{ID: "probe", Title: "give the container time to wait", Text: fmt.Sprintf("The startupProbe must allow for the whole wait (%s) and the start after it. Or set a smaller STARTGATE_TIMEOUT.", timeout)}
	if probe := widened(spec, timeout); probe != nil {
		c.Patch = w.patch(object{"spec": object{"containers": []object{{"name": container, "startupProbe": probe}}}})
	}
	return c
}
