//go:build linux

package podtest

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

// crowd is how many pods start together, and players how many podmen start them:
// more are no faster on two cores, because they wait for each other's locks.
const (
	crowd   = 50
	players = 2
)

// Fifty pods wait on one machine, and all sidecars are ready at the same moment: as
// when a node comes back. It tells how long the applications take to start then, and
// asks no more than that all of them do, because the machine may be busy.
func TestFifty(t *testing.T) {
	host.ready(t)
	began := time.Now()
	pods := playAll(t, inject(podIn(t, "deployment/deployment.yaml"), late...), crowd)
	t.Logf("%d pods were started in %v", crowd, time.Since(began).Round(time.Millisecond))

	sidecars := make([]int, len(pods))
	for i, p := range pods {
		p.until("app", "is not ready yet", 1)
		p.until("istio-proxy", "listens", 1)
		sidecars[i] = p.state("istio-proxy").Pid
	}
	for _, pid := range sidecars {
		if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
	}
	var took []time.Duration
	for _, p := range pods {
		p.until("app", "app starts", 1)
		p.says("app", "istio is ready", "mode=replace")
		took = append(took, p.when("app", "app starts").Sub(p.when("istio-proxy", "is ready")))
	}
	slices.Sort(took)
	if took[0] <= 0 {
		t.Errorf("an application started %v before its sidecar was ready", -took[0])
	}
	t.Logf("from the sidecar's readiness to the application's first line: median %v, slowest %v", took[len(took)/2], took[len(took)-1])
}

// playAll starts n pods of one manifest, and takes them away at the end of the test.
// One podman starts many of them, because each costs a machine more than a pod does.
func playAll(t testing.TB, manifest object, n int) []*pod {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var (
		pods     []*pod
		messages []map[string]string
		names    []string
		files    [players]strings.Builder
	)
	for i := range n {
		p := &pod{TB: t, name: fmt.Sprintf("crowd-%d", count.Add(1)), policy: "Always", containers: map[string]*container{}}
		own := filepath.Join(dir, p.name)
		if err := os.Mkdir(own, 0o755); err != nil {
			t.Fatal(err)
		}
		adapted := deepCopy(t, manifest)
		messages = append(messages, p.adapt(adapted, own))
		text, err := json.Marshal(adapted)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&files[i%players], "---\n%s\n", text)
		pods, names = append(pods, p), append(names, p.name)
		t.Cleanup(p.remove)
	}
	// What runs no more is removed at once, and what runs in some seconds.
	t.Cleanup(func() { _, _ = host.run("podman", append([]string{"pod", "kill"}, names...)...) })

	var errs [players]error
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
	for i, p := range pods {
		p.look(messages[i])
	}
	return pods
}
