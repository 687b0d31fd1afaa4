//go:build linux

package podtest

// Fifty pods that wait on one machine, whose sidecars all become ready at once.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	podsAtOnce = 50
	podmen     = 2 // start the pods; more are no faster, because they wait for each other's locks
)

// All sidecars become ready at the same moment, as when a node comes back. The test logs
// how long the applications then take to start, but it has no limit for that, because the
// machine may be busy: all of them must start, and none before its sidecar is ready.
func TestFiftyPodsAtOnce(t *testing.T) {
	needPods(t)
	began := time.Now()
	pods := startPods(t, inject(podFromFile(t, "deployment/deployment.yaml"), holdReady...), podsAtOnce)
	t.Logf("%d pods were started in %v", podsAtOnce, time.Since(began).Round(time.Millisecond))

	var sidecars []string
	for _, p := range pods {
		p.waitForLog("app", "is not ready yet", 1)
		p.waitForLog("istio-proxy", "listens", 1)
		sidecars = append(sidecars, p.container("istio-proxy").id)
	}
	for _, sidecar := range host.states(t, sidecars...) {
		if err := syscall.Kill(sidecar.Pid, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
	}
	var took []time.Duration
	for _, p := range pods {
		p.waitForLog("app", "app starts", 1)
		p.checkLog("app", "istio is ready", "mode=replace")
		took = append(took, p.timeOf("app", "app starts").Sub(p.timeOf("istio-proxy", "is ready")))
	}
	slices.Sort(took)
	if took[0] <= 0 {
		t.Errorf("an application started %v before its sidecar was ready", -took[0])
	}
	t.Logf("from the sidecar's readiness to the application's first line: median %v, slowest %v", took[len(took)/2], took[len(took)-1])
}

// startPods starts n pods of one manifest, which are removed at the end of the test. Each
// podman starts many of them, because a podman costs more than a pod.
func startPods(t testing.TB, manifest object, n int) []*pod {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var (
		pods  []*pod
		names []string
		files [podmen]strings.Builder
	)
	for i := range n {
		p := &pod{TB: t, name: fmt.Sprintf("fifty-%d", podsStarted.Add(1)), policy: "Always", containers: map[string]*container{}}
		own := filepath.Join(dir, p.name)
		if err := os.Mkdir(own, 0o755); err != nil {
			t.Fatal(err)
		}
		adapted := deepCopy(t, manifest)
		p.adapt(adapted, own)
		text, err := json.Marshal(adapted)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&files[i%podmen], "---\n%s\n", text)
		pods, names = append(pods, p), append(names, p.name)
	}
	t.Cleanup(func() {
		// A pod that runs is removed in seconds, one that was killed at once.
		_, _ = host.run("podman", append([]string{"pod", "kill"}, names...)...)
		removePods(t, pods...)
	})

	var errs [podmen]error
	var started sync.WaitGroup
	for i := range files {
		started.Go(func() {
			file := filepath.Join(dir, fmt.Sprintf("pods-%d.yaml", i))
			errs[i] = os.WriteFile(file, []byte(files[i].String()), 0o600)
			if errs[i] == nil {
				_, errs[i] = host.run("podman", "play", "kube", "--network", "none", file)
			}
		})
	}
	started.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	findContainers(t, pods...)
	return pods
}
