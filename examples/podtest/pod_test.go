//go:build linux

package podtest

// Helpers: a pod that was started, its containers, and what a kubelet does to it.

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// grace is a grace period that is long enough for a busy machine, and that shows when
// something waits for its end. With shortGrace nothing can end in time that ignores TERM.
const (
	grace      = time.Minute
	shortGrace = 5 * time.Second
)

// pod is a pod that was started.
type pod struct {
	testing.TB
	name       string
	policy     string            // its restartPolicy
	stopped    bool              // nothing is restarted any more
	messages   map[string]string // the file of each container's termination message
	containers map[string]*container
	pid        int // see networkPid
}

// container is a container of a pod.
type container struct {
	id, log string
	message string // the file that has its termination message
}

// podsStarted counts the pods, so that each has a name of its own.
var podsStarted atomic.Int64

// startPod starts a pod, which is removed at the end of the test.
func startPod(t testing.TB, manifest object) *pod {
	t.Helper()
	needNode(t)
	manifest = deepCopy(t, manifest)
	p := &pod{
		TB: t, name: fmt.Sprintf("%s-%d", at(manifest, "metadata", "name"), podsStarted.Add(1)),
		policy: "Always", containers: map[string]*container{},
	}
	if policy, ok := at(manifest, "spec", "restartPolicy").(string); ok {
		p.policy = policy
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.adapt(manifest, dir)
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pod.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removePods(t, p) })
	host.podman(t, "play", "kube", "--network", "none", file)
	findContainers(t, p)
	return p
}

// adapt changes a manifest so that podman runs it as a kubelet would. Volumes and
// termination messages are in dir.
func (p *pod) adapt(manifest object, dir string) {
	metadata, spec := at(manifest, "metadata").(object), at(manifest, "spec").(object)
	metadata["name"] = p.name
	containers := append(list(spec, "containers"), list(spec, "initContainers")...)
	for _, c := range containers {
		resolveEnv(c, metadata) // podman accepts no value as long as Istio's
	}
	// podman needs 20 s for an init container that is not "always", and would restart it.
	metadata["annotations"] = object{"io.podman.annotations.init.container.type": "always"}
	if len(list(spec, "initContainers")) > 0 {
		p.policy, spec["restartPolicy"] = "Never", "Never"
	}
	volumes, _ := spec["volumes"].([]any)
	for _, volume := range list(spec, "volumes") {
		if volume["emptyDir"] == nil {
			continue
		}
		// podman's own is shared by all pods, and belongs to the first container's user.
		path := filepath.Join(dir, "volume-"+volume["name"].(string))
		if err := errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o777)); err != nil {
			p.Fatal(err)
		}
		delete(volume, "emptyDir")
		volume["hostPath"] = object{"path": path, "type": "Directory"}
	}
	p.messages = map[string]string{}
	for _, c := range containers {
		mounts, _ := c["volumeMounts"].([]any)
		name := c["name"].(string)
		p.messages[name] = filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(p.messages[name], nil, 0o600), os.Chmod(p.messages[name], 0o666)); err != nil {
			p.Fatal(err)
		}
		volume := "message-" + name
		volumes = append(volumes, object{"name": volume, "hostPath": object{"path": p.messages[name], "type": "File"}})
		c["volumeMounts"] = append(mounts, object{"name": volume, "mountPath": "/dev/termination-log"})
		c["imagePullPolicy"] = "Never"
		delete(c, "ports")         // podman would open them on this machine
		delete(c, "livenessProbe") // podman would need systemd for it
	}
	spec["volumes"] = volumes
}

// resolveEnv replaces, in a container's variables, fields of the pod's metadata and
// references to other variables by their values.
func resolveEnv(container, metadata object) {
	known := strings.NewReplacer()
	var pairs []string
	for _, variable := range list(container, "env") {
		if path, ok := at(variable, "valueFrom", "fieldRef", "fieldPath").(string); ok {
			delete(variable, "valueFrom")
			variable["value"] = metadataField(metadata, strings.TrimPrefix(path, "metadata."))
		}
		if value, ok := variable["value"].(string); ok {
			value = known.Replace(value)
			variable["value"] = value
			pairs = append(pairs, fmt.Sprintf("$(%s)", variable["name"]), value)
			known = strings.NewReplacer(pairs...)
		}
	}
}

// metadataField returns the value of a path such as name or labels['app'].
func metadataField(metadata object, path string) string {
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

// findContainers finds the containers of these pods, and their logs.
func findContainers(t testing.TB, pods ...*pod) {
	t.Helper()
	args := []string{"ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}"}
	for _, p := range pods {
		args = append(args, "--filter", "pod="+p.name)
	}
	ids := map[string]string{}
	for line := range strings.Lines(host.ask(t, args...)) {
		name, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		ids[name] = id
	}
	for _, p := range pods {
		for name, message := range p.messages {
			id, found := ids[p.name+"-"+name]
			if !found {
				t.Fatalf("%s has no container %s", p.name, name)
			}
			p.containers[name] = &container{
				id:      id,
				log:     host.file(filepath.Join("graph", host.driver+"-containers", id, "userdata", "ctr.log")),
				message: message,
			}
		}
	}
}

// removePods removes pods. If the test has failed, it shows their logs.
func removePods(t testing.TB, pods ...*pod) {
	args := []string{"pod", "rm", "--force", "--time", "0", "--ignore"}
	for _, p := range pods {
		if t.Failed() {
			for name := range p.containers {
				t.Logf("%s of %s:\n%s", name, p.name, p.log(name))
			}
		}
		args = append(args, p.name)
	}
	if _, err := host.run("podman", args...); err != nil {
		t.Error(err)
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

// log returns everything that a container has printed, in all its tries.
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

// waitForLog waits until a container has printed a text n times.
func (p *pod) waitForLog(name, text string, n int) {
	p.Helper()
	eventually(p, fmt.Sprintf("%s prints %q, %d times", name, text, n), func() bool {
		return strings.Count(p.log(name), text) >= n
	})
}

// state is what podman knows about a container.
type state struct {
	Running  bool
	ExitCode int
	Restarts int
	Pid      int // on the host
}

// states returns the states of containers by their IDs.
func (n *node) states(t testing.TB, ids ...string) []state {
	t.Helper()
	const format = `{"Running":{{.State.Running}},"ExitCode":{{.State.ExitCode}},"Restarts":{{.RestartCount}},"Pid":{{.State.Pid}}}`
	lines := json.NewDecoder(strings.NewReader(n.ask(t, append([]string{"inspect", "--format", format}, ids...)...)))
	states := make([]state, len(ids))
	for i := range states {
		if err := lines.Decode(&states[i]); err != nil {
			t.Fatal(err)
		}
	}
	return states
}

// states returns the states of all containers by their names.
func (p *pod) states() map[string]state {
	p.Helper()
	names := slices.Sorted(maps.Keys(p.containers))
	var ids []string
	for _, name := range names {
		ids = append(ids, p.containers[name].id)
	}
	states := map[string]state{}
	for i, s := range host.states(p, ids...) {
		states[names[i]] = s
	}
	return states
}

// state returns the state of one container.
func (p *pod) state(name string) state {
	p.Helper()
	p.container(name)
	return p.states()[name]
}

// waitForEnd waits until all containers have exited, and none will be restarted.
func (p *pod) waitForEnd() {
	p.Helper()
	p.waitForStates("all containers have exited", func(states map[string]state) bool {
		for _, s := range states {
			restarts := p.policy == "Always" || p.policy == "OnFailure" && s.ExitCode != 0
			if s.Running || restarts && !p.stopped {
				return false
			}
		}
		return true
	})
}

// waitForExit waits until a container has exited.
func (p *pod) waitForExit(name string) {
	p.Helper()
	p.container(name)
	p.waitForStates(name+" has exited", func(states map[string]state) bool { return !states[name].Running })
}

// waitForStates waits until f returns true for the states of the containers. It asks podman
// again when a container's process has exited, or after half a second: podman needs the
// processor more than the pods do.
func (p *pod) waitForStates(what string, f func(map[string]state) bool) {
	p.Helper()
	eventually(p, p.name+": "+what, func() bool {
		states := p.states()
		if f(states) {
			return true
		}
		for next := time.Now().Add(500 * time.Millisecond); time.Now().Before(next); time.Sleep(20 * time.Millisecond) {
			for _, s := range states {
				if s.Running && syscall.Kill(s.Pid, 0) != nil {
					return false
				}
			}
		}
		return false
	})
}

// signal sends a signal to the first process of a container. It does not use podman,
// which would not restart a container that it has killed itself.
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

// stop stops all containers as a kubelet does: with TERM, and with KILL after the
// grace period.
func (p *pod) stop(grace time.Duration) {
	p.Helper()
	p.stopped = true
	host.podman(p, "pod", "stop", "--time", strconv.Itoa(int(grace.Seconds())), p.name)
}

// phase returns the pod's phase as a kubelet computes it (kubernetes/kubernetes:
// pkg/kubelet/kubelet_pods.go, getPhase).
func (p *pod) phase() string {
	p.Helper()
	failed := false
	for _, s := range p.states() {
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

// checkLog checks that a container has printed these texts.
func (p *pod) checkLog(name string, texts ...string) {
	p.Helper()
	for _, text := range texts {
		if !strings.Contains(p.log(name), text) {
			p.Errorf("%s does not print %q:\n%s", name, text, p.log(name))
		}
	}
}

// wasAsked reports whether a stand-in got a request to shut down.
func (p *pod) wasAsked(sidecar string) bool {
	p.Helper()
	return strings.Contains(p.log(sidecar), standinAsked)
}

// letListen lets a stand-in listen that was started with --hold-start.
func (p *pod) letListen(sidecar string) {
	p.Helper()
	p.release(sidecar, syscall.SIGUSR1)
}

// letBecomeReady lets a stand-in become ready that was started with --hold-ready.
func (p *pod) letBecomeReady(sidecar string) {
	p.Helper()
	p.release(sidecar, syscall.SIGUSR2)
}

func (p *pod) release(sidecar string, signal syscall.Signal) {
	p.Helper()
	p.waitForLog(sidecar, " starts\n", 1)
	p.signal(sidecar, signal)
}

// checkStop stops the pod, which must end at once, and checks a container's exit code.
func (p *pod) checkStop(name string, code int) {
	p.Helper()
	began := time.Now()
	p.stop(grace)
	if s, took := p.state(name), time.Since(began); s.ExitCode != code || s.Restarts != 0 || took > grace/2 {
		p.Errorf("code %d after %d restarts and %v, want %d at once", s.ExitCode, s.Restarts, took, code)
	}
}

// timeOf returns the time of the first line of a container's log that has this text.
// The application and the stand-in begin their lines with the time.
func (p *pod) timeOf(name, text string) time.Time {
	p.Helper()
	for line := range strings.Lines(p.log(name)) {
		if stamp, _, _ := strings.Cut(line, " "); strings.Contains(line, text) {
			at, err := time.Parse(time.RFC3339Nano, stamp)
			if err != nil {
				p.Fatal(err)
			}
			return at
		}
	}
	p.Fatalf("%s does not print %q", name, text)
	return time.Time{}
}
