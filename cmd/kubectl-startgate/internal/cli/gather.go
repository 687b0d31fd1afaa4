package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/live"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/saved"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/timeline"
)

func (d *diagnose) saveAll(all []*evidence.Evidence) error {
	if d.save == "" {
		return nil
	}
	for _, e := range all {
		if err := saved.Save(d.save, e); err != nil {
			return fmt.Errorf("cannot save: %w", err)
		}
	}
	fmt.Fprintf(d.ErrOut, "Saved in %s.\n%s", d.save, saved.Warning)
	return nil
}

// fromFiles reads saved files.
func (d *diagnose) fromFiles(_ context.Context, args []string) ([]*evidence.Evidence, error) {
	store, err := saved.Load(d.from)
	if err != nil {
		return nil, err
	}
	var all []*evidence.Evidence
	for _, name := range store.Names() {
		_, pod, _ := strings.Cut(name, "/")
		if len(args) == 0 || strings.TrimPrefix(args[0], "pod/") == pod || args[0] == name {
			e := store.Evidence(name)
			e.Only = d.limits.Container
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no pod %s, only %s", d.from, args[0], strings.Join(store.Names(), ", "))
	}
	return all, nil
}

// fromCluster reads from a cluster.
func (d *diagnose) fromCluster(ctx context.Context, args []string) ([]*evidence.Evidence, error) {
	if (len(args) == 0) == (d.selector == "") {
		return nil, errors.New("name a pod, or a workload as deploy/NAME, or give -l SELECTOR")
	}
	namespace, err := d.namespace()
	if err != nil {
		return nil, err
	}
	reader, err := d.reader()
	if err != nil {
		return nil, err
	}
	pods, gaps, err := d.pods(ctx, reader, namespace, args)
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf("no pod found in %s; of those that are gone, see --from", namespace)
	}
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return restartsOf(b) - restartsOf(a) })
	if len(pods) > d.maxPods {
		fmt.Fprintf(d.ErrOut, "%d pods: looking at the %d with most restarts (--max-pods)\n", len(pods), d.maxPods)
		pods = pods[:d.maxPods]
	}
	var all []*evidence.Evidence
	for _, pod := range pods {
		e := reader.Evidence(ctx, pod)
		e.Context = *d.config.Context
		e.Gaps = append(slices.Clone(gaps), e.Gaps...)
		e.Gaps = slices.CompactFunc(e.Gaps, func(a, b evidence.Gap) bool { return a == b })
		all = append(all, e)
	}
	return all, ctx.Err()
}

func (d *diagnose) pods(ctx context.Context, reader *live.Reader, namespace string, args []string) ([]*corev1.Pod, []evidence.Gap, error) {
	if d.selector != "" {
		pods, err := reader.Pods(ctx, namespace, d.selector)
		return pods, nil, err
	}
	kind, name, isTyped := strings.Cut(args[0], "/")
	if !isTyped || slices.Contains([]string{"pod", "pods", "po"}, kind) {
		if !isTyped {
			name = args[0]
		}
		pod, err := reader.Pod(ctx, namespace, name)
		return []*corev1.Pod{pod}, nil, err
	}
	kind, err := live.KindOf(kind)
	if err != nil {
		return nil, nil, err
	}
	return reader.PodsOf(ctx, kind, namespace, name)
}

// checkContainer checks that --container names a container of each pod.
func (d *diagnose) checkContainer(all []*evidence.Evidence) error {
	if d.limits.Container == "" {
		return nil
	}
	for _, e := range all {
		var names []string
		for _, container := range timeline.Containers(e) {
			names = append(names, container.Name)
		}
		if !slices.Contains(names, d.limits.Container) {
			return fmt.Errorf("pod %s has no container %s, only %s", e.Name, d.limits.Container, strings.Join(names, ", "))
		}
	}
	return nil
}

func restartsOf(pod *corev1.Pod) (n int) {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		n += int(status.RestartCount)
	}
	return n
}
