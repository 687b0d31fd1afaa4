package tests

// Many pods at once.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// crowd is how many pods start at once.
const crowd = 30

// loop does what many do instead: it asks once a second.
const loop = "echo waits; until wget -q -O /dev/null http://127.0.0.1:15020/healthz/ready; do sleep 1; done; echo works"

// BenchmarkCrowd starts 30 pods at once, in each of which startgate and, in a container
// beside it, a shell loop with wget wait for the same sidecar. It reports what startgate
// takes in shares of what the loop takes, in the same pods at the same time.
func BenchmarkCrowd(b *testing.B) {
	isLong(b)
	for b.Loop() {
		n := newNamespace(b)
		n.startCrowd()
		startgate, shell := n.crowdCPU("app"), n.crowdCPU("loop")
		time.Sleep(10 * time.Second) // what is measured
		startgate, shell = n.crowdCPU("app")-startgate, n.crowdCPU("loop")-shell
		for _, pod := range n.podNames() {
			n.letBecomeReady(pod)
		}
		gated, looped := n.handOvers("app"), n.handOvers("loop")
		b.ReportMetric(float64(startgate)/float64(shell), "cpu/loop")
		b.ReportMetric(startgate.Seconds()*10, "cpu-%")
		for _, p := range []float64{50, 99} {
			own, other := percentile(gated, p/100), percentile(looped, p/100)
			b.ReportMetric(float64(own)/float64(other), fmt.Sprintf("p%.0f/loop", p))
			b.ReportMetric(float64(own.Milliseconds()), fmt.Sprintf("p%.0f-ms", p))
		}
	}
}

// startCrowd makes the pods and waits until both wait in each.
func (n *namespace) startCrowd() {
	n.Helper()
	beside := func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: "loop", Image: "docker.io/library/busybox:stable", Command: []string{"sh", "-c", loop},
		})
	}
	var pods []string
	for i := range crowd {
		pods = append(pods, n.create(aPod(fmt.Sprintf("p%d", i), "echo works", sidecar("--hold-ready"), beside)))
	}
	for _, pod := range pods {
		n.waitForLog(pod, "app", logWaiting)
		n.waitForLog(pod, "loop", "waits")
		n.waitForLog(pod, "istio-proxy", "listens")
	}
}

// crowdCPU returns what the containers of this name have taken of the CPUs, together.
func (n *namespace) crowdCPU(container string) time.Duration {
	n.Helper()
	var sum time.Duration
	for _, pod := range n.podNames() {
		_, id, _ := strings.Cut(n.status(pod, container).ContainerID, "://")
		used, err := cluster.CPU(id)
		if err != nil {
			n.Fatal(err)
		}
		sum += used
	}
	return sum
}

// handOvers returns how long after its sidecar was ready each container of this name works.
func (n *namespace) handOvers(container string) []time.Duration {
	n.Helper()
	var took []time.Duration
	for _, pod := range n.podNames() {
		if end := n.waitForEnds(pod, container, 1)[0]; end.ExitCode != 0 {
			n.Fatalf("%s in %s ended with %d: %s", container, pod, end.ExitCode, end.Message)
		}
		took = append(took, n.timeOf(pod, container, "works").Sub(n.timeOf(pod, "istio-proxy", "is ready")))
	}
	return took
}

// timeOf returns when a container wrote a line with this text, by containerd's clock.
func (n *namespace) timeOf(pod, container, text string) time.Time {
	n.Helper()
	log, err := n.logs(pod, corev1.PodLogOptions{Container: container, Timestamps: true})
	for line := range strings.Lines(log) {
		if stamp, said, _ := strings.Cut(line, " "); strings.Contains(said, text) {
			var at time.Time
			if at, err = time.Parse(time.RFC3339Nano, stamp); err == nil {
				return at
			}
		}
	}
	n.Fatalf("%s in %s has not said %q: %v", container, pod, text, err)
	return time.Time{}
}

// percentile returns the value that this share of the values does not exceed.
func percentile[T ~int64](values []T, share float64) T {
	slices.Sort(values)
	return values[min(len(values)-1, int(share*float64(len(values))))]
}
