//go:build linux

package podtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The annotation that Istio's webhook puts on a pod, with a sidecar of each kind.
const (
	statusAnnotation = "sidecar.istio.io/status"
	classicStatus    = `{"initContainers":["istio-init"],"containers":["istio-proxy"],"volumes":["istio-envoy"]}`
	nativeStatus     = `{"initContainers":["istio-init","istio-proxy"],"containers":null,"volumes":["istio-envoy"]}`
)

// standin is a container that plays a sidecar.
func standin(name string, args ...string) object {
	return object{"name": name, "image": standinImage, "args": args}
}

// inject does to a pod what Istio's webhook does: it adds the sidecar, here a
// stand-in with these flags, and the annotation.
func inject(pod object, flags ...string) object {
	annotate(pod, classicStatus)
	addContainer(pod, standin("istio-proxy", append([]string{"istio"}, flags...)...))
	return pod
}

func annotate(pod object, status string) {
	metadata := at(pod, "metadata").(object)
	annotations, _ := metadata["annotations"].(object)
	if annotations == nil {
		annotations = object{}
	}
	annotations[statusAnnotation] = status
	metadata["annotations"] = annotations
}

func addContainer(pod, container object) {
	spec := at(pod, "spec").(object)
	containers, _ := spec["containers"].([]any)
	spec["containers"] = append(containers, container)
}

// containerIn returns a container of a pod by its name.
func containerIn(t testing.TB, pod object, name string) object {
	t.Helper()
	for _, container := range list(pod, "spec", "containers") {
		if container["name"] == name {
			return container
		}
	}
	t.Fatalf("no container %s", name)
	return nil
}

// setEnv sets variables, NAME=value each, of a container.
func setEnv(container object, variables ...string) {
	env, _ := container["env"].([]any)
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		env = append(env, object{"name": name, "value": value})
	}
	container["env"] = env
}

// pod is one that was started.
type pod struct {
	testing.TB
	id, name   string
	policy     string // its restartPolicy
	stopped    bool   // nothing is restarted any more
	containers map[string]*container
}

// container is one of a pod's.
type container struct {
	id, log string
	message string // the file that is its termination message
}

var count atomic.Int64

// play starts a pod, and takes it away at the end of the test.
func play(t testing.TB, manifest object) *pod {
	t.Helper()
	host.ready(t)
	manifest = deepCopy(t, manifest)
	p := &pod{
		TB: t, name: fmt.Sprintf("%s-%d", at(manifest, "metadata", "name"), count.Add(1)),
		policy: "Always", containers: map[string]*container{},
	}
	if policy, ok := at(manifest, "spec", "restartPolicy").(string); ok {
		p.policy = policy
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	messages := p.adapt(manifest, dir)
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pod.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.remove)
	host.podman(t, "play", "kube", "--network", "none", file)
	p.look(messages)
	return p
}

// adapt makes a manifest one that this podman plays as a kubelet would. It returns
// the files that are the containers' termination messages, which dir is for.
func (p *pod) adapt(manifest object, dir string) map[string]string {
	metadata, spec := at(manifest, "metadata").(object), at(manifest, "spec").(object)
	metadata["name"] = p.name
	containers := append(list(spec, "containers"), list(spec, "initContainers")...)
	for _, c := range containers {
		handDown(c, metadata) // podman takes no value as long as Istio's
	}
	// An init container that is not "always" takes it 20 s, and it would be restarted, too.
	metadata["annotations"] = object{"io.podman.annotations.init.container.type": "always"}
	if len(list(spec, "initContainers")) > 0 {
		p.policy, spec["restartPolicy"] = "Never", "Never"
	}
	volumes, _ := spec["volumes"].([]any)
	for _, volume := range list(spec, "volumes") {
		if volume["emptyDir"] == nil {
			continue
		}
		// Its own is shared by all pods, and belongs to the user of the first container.
		path := filepath.Join(dir, "volume-"+volume["name"].(string))
		if err := errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o777)); err != nil {
			p.Fatal(err)
		}
		delete(volume, "emptyDir")
		volume["hostPath"] = object{"path": path, "type": "Directory"}
	}
	messages := map[string]string{}
	for _, c := range containers {
		mounts, _ := c["volumeMounts"].([]any)
		name := c["name"].(string)
		messages[name] = filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(messages[name], nil, 0o600), os.Chmod(messages[name], 0o666)); err != nil {
			p.Fatal(err)
		}
		volume := "message-" + name
		volumes = append(volumes, object{"name": volume, "hostPath": object{"path": messages[name], "type": "File"}})
		c["volumeMounts"] = append(mounts, object{"name": volume, "mountPath": "/dev/termination-log"})
		c["imagePullPolicy"] = "Never"
		delete(c, "ports")         // it would open them on this machine
		delete(c, "livenessProbe") // it would want systemd for it
	}
	spec["volumes"] = volumes
	return messages
}

// handDown gives a container what it asks for of its pod's metadata, and puts that
// where its variables refer to it.
func handDown(container, metadata object) {
	known := strings.NewReplacer()
	var pairs []string
	for _, variable := range list(container, "env") {
		if path, ok := at(variable, "valueFrom", "fieldRef", "fieldPath").(string); ok {
			delete(variable, "valueFrom")
			variable["value"] = field(metadata, strings.TrimPrefix(path, "metadata."))
		}
		if value, ok := variable["value"].(string); ok {
			value = known.Replace(value)
			variable["value"] = value
			pairs = append(pairs, fmt.Sprintf("$(%s)", variable["name"]), value)
			known = strings.NewReplacer(pairs...)
		}
	}
}

// field returns what is at a path such as name or labels['app'].
func field(metadata object, path string) string {
	name, key, _ := strings.Cut(path, "['")
	value := metadata[name]
	if key != "" {
		value = at(value, strings.TrimSuffix(key, "']"))
	}
	if value == nil && name == "namespace" {
		return "default"
	}
	text, _ := value.(string)
	return text
}

// look finds out where podman has put what belongs to the pod.
func (p *pod) look(messages map[string]string) {
	p.Helper()
	p.id = host.ask(p, "pod", "inspect", "--format", "{{.Id}}", p.name)
	for _, line := range strings.Split(host.ask(p, "ps", "--all", "--no-trunc", "--filter", "pod="+p.id,
		"--format", "{{.ID}} {{.Names}} {{.IsInfra}}"), "\n") {
		var id, name string
		var infra bool
		if _, err := fmt.Sscan(line, &id, &name, &infra); err != nil {
			p.Fatalf("%q: %v", line, err)
		}
		if infra {
			continue
		}
		name = strings.TrimPrefix(name, p.name+"-")
		p.containers[name] = &container{
			id:      id,
			log:     host.file(filepath.Join("graph", "vfs-containers", id, "userdata", "ctr.log")),
			message: messages[name],
		}
	}
}

func (p *pod) remove() {
	if p.Failed() {
		for name := range p.containers {
			p.Logf("%s of %s:\n%s", name, p.name, p.log(name))
		}
	}
	if _, err := host.run("podman", "pod", "rm", "--force", "--time", "0", "--ignore", p.name); err != nil {
		p.Error(err)
	}
}

func (p *pod) container(name string) *container {
	p.Helper()
	c := p.containers[name]
	if c == nil {
		p.Fatalf("%s has no container %s", p.name, name)
	}
	return c
}

// log returns what a container has printed, in all its tries.
func (p *pod) log(name string) string {
	p.Helper()
	text, err := os.ReadFile(p.container(name).log)
	if err != nil && !os.IsNotExist(err) {
		p.Error(err)
	}
	var log strings.Builder
	for line := range strings.Lines(string(text)) {
		// 2026-11-22T15:53:52.930512124Z stdout F text
		if fields := strings.SplitN(line, " ", 4); len(fields) == 4 {
			log.WriteString(fields[3])
		}
	}
	return log.String()
}

// until waits until a container has printed a text for the nth time.
func (p *pod) until(name, text string, n int) {
	p.Helper()
	eventually(p, fmt.Sprintf("%s prints %q, %d times", name, text, n), func() bool {
		return strings.Count(p.log(name), text) >= n
	})
}

// state is what podman knows of a container.
type state struct {
	Running  bool
	ExitCode int
	Restarts int
	Pid      int // on the host
}

func (p *pod) state(name string) state {
	p.Helper()
	const format = `{"Running":{{.State.Running}},"ExitCode":{{.State.ExitCode}},"Restarts":{{.RestartCount}},"Pid":{{.State.Pid}}}`
	var s state
	if err := json.Unmarshal([]byte(host.ask(p, "inspect", "--format", format, p.container(name).id)), &s); err != nil {
		p.Fatal(err)
	}
	return s
}

// ends waits until all containers are over, and none will be restarted.
func (p *pod) ends() {
	p.Helper()
	eventually(p, "all containers of "+p.name+" are over", func() bool {
		for name := range p.containers {
			s := p.state(name)
			restarts := p.policy == "Always" || p.policy == "OnFailure" && s.ExitCode != 0
			if s.Running || restarts && !p.stopped {
				return false
			}
		}
		return true
	})
}

// isOver waits until one container is.
func (p *pod) isOver(name string) {
	p.Helper()
	eventually(p, name+" of "+p.name+" is over", func() bool { return !p.state(name).Running })
}

// signal sends a signal to the first process of a container, as a kubelet does and
// the kernel: podman does not restart what it has killed itself.
func (p *pod) signal(name string, signal syscall.Signal) {
	p.Helper()
	pid := p.state(name).Pid
	if pid <= 0 {
		p.Fatalf("%s of %s does not run", name, p.name)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		p.Fatalf("%s of %s: %v", name, p.name, err)
	}
}

// stop stops all containers as a kubelet does: TERM, and KILL after the grace
// period.
func (p *pod) stop(grace time.Duration) {
	p.Helper()
	p.stopped = true
	host.podman(p, "pod", "stop", "--time", strconv.Itoa(int(grace.Seconds())), p.name)
}

// phase is the pod's, as a kubelet finds it (kubernetes/kubernetes:
// pkg/kubelet/kubelet_pods.go, getPhase).
func (p *pod) phase() string {
	p.Helper()
	failed := false
	for name := range p.containers {
		s := p.state(name)
		if s.Running || p.policy == "Always" {
			return "Running"
		}
		failed = failed || s.ExitCode != 0
	}
	if failed {
		return "Failed"
	}
	return "Succeeded"
}

// says checks that a container has printed these texts.
func (p *pod) says(name string, texts ...string) {
	p.Helper()
	for _, text := range texts {
		if !strings.Contains(p.log(name), text) {
			p.Errorf("%s does not print %q:\n%s", name, text, p.log(name))
		}
	}
}
