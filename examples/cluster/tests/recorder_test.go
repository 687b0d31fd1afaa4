package tests

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// A recorder watches the pods of a namespace and remembers the last that was seen of each,
// also of those that are gone: a deleted pod's end is seen nowhere else.
type recorder struct {
	t testing.TB
	*seen
}

// seen is what a recorder remembers. Subtests share it.
type seen struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each change
	pods    map[string]*corev1.Pod
	gone    map[string]bool
	ends    map[string][]corev1.ContainerStateTerminated // of all tries, by pod/container
}

func newRecorder(t testing.TB, namespace string) *recorder {
	r := &recorder{t, &seen{
		changed: make(chan struct{}),
		pods:    map[string]*corev1.Pod{}, gone: map[string]bool{}, ends: map[string][]corev1.ContainerStateTerminated{},
	}}
	factory := informers.NewSharedInformerFactoryWithOptions(cluster.Client, 0, informers.WithNamespace(namespace))
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { r.record(o, false) },
		UpdateFunc: func(_, o any) { r.record(o, false) },
		DeleteFunc: func(o any) { r.record(o, true) },
	})
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return r
}

func (r *recorder) record(object any, gone bool) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	pod := object.(*corev1.Pod)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods[pod.Name], r.gone[pod.Name] = pod, gone
	for _, status := range statuses(pod) {
		for _, state := range []corev1.ContainerState{status.LastTerminationState, status.State} {
			r.recordEnd(pod.Name+"/"+status.Name, state.Terminated)
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) recordEnd(container string, end *corev1.ContainerStateTerminated) {
	known := func(old corev1.ContainerStateTerminated) bool { return old.ContainerID == end.ContainerID }
	if end != nil && !slices.ContainsFunc(r.ends[container], known) {
		r.ends[container] = append(r.ends[container], *end)
	}
}

// statuses returns the status of all containers of a pod.
func statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses)
}

// eventually waits until f returns true. It is called after each change of a pod, and a few
// times a second, because it may ask for something else.
func (r *recorder) eventually(what string, f func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); ; {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if f() {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("not within %v: %s", patience, what)
		}
		select {
		case <-changed:
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// pod returns what was last seen of the pod, and whether it is gone. Before it is there, it
// is empty.
func (r *recorder) pod(name string) (pod *corev1.Pod, gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pod = r.pods[name]; pod == nil {
		pod = &corev1.Pod{}
	}
	return pod, r.gone[name]
}

// podNames returns the names of all pods that were seen.
func (r *recorder) podNames() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.pods))
}

// status returns what was last seen of a container.
func (r *recorder) status(pod, container string) corev1.ContainerStatus {
	seen, _ := r.pod(pod)
	for _, status := range statuses(seen) {
		if status.Name == container {
			return status
		}
	}
	return corev1.ContainerStatus{}
}

// endsOf returns how each try of a container has ended.
func (r *recorder) endsOf(pod, container string) []corev1.ContainerStateTerminated {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends[pod+"/"+container])
}

// codes returns the exit codes of all tries of a container.
func (r *recorder) codes(pod, container string) []int32 {
	var codes []int32
	for _, end := range r.endsOf(pod, container) {
		codes = append(codes, end.ExitCode)
	}
	return codes
}

func (r *recorder) waitForPhase(pod string, phase corev1.PodPhase) {
	r.t.Helper()
	r.eventually(pod+" is "+string(phase), func() bool {
		seen, _ := r.pod(pod)
		return seen.Status.Phase == phase
	})
}

func (r *recorder) waitForEnds(pod, container string, n int) []corev1.ContainerStateTerminated {
	r.t.Helper()
	r.eventually(container+" in "+pod+" ends", func() bool { return len(r.endsOf(pod, container)) >= n })
	return r.endsOf(pod, container)
}

func (r *recorder) waitUntilRunning(pod, container string) {
	r.t.Helper()
	r.eventually(container+" in "+pod+" runs", func() bool { return r.status(pod, container).State.Running != nil })
}

func (r *recorder) waitUntilGone(pod string) {
	r.t.Helper()
	r.eventually(pod+" is gone", func() bool {
		_, gone := r.pod(pod)
		return gone
	})
}
