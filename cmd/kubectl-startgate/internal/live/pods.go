package live

import (
	"context"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// Pod reads a pod.
func (r *Reader) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	pod, err := r.Client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fatal("get", "pods", name, err)
	}
	return pod, nil
}

// PodsOf reads the pods of a workload. If the workload cannot be read, they are known by their owners.
func (r *Reader) PodsOf(ctx context.Context, kind, namespace, name string) (pods []*corev1.Pod, gaps []evidence.Gap, err error) {
	w, err := r.Workload(ctx, kind, namespace, name)
	if err != nil {
		gaps = append(gaps, gap("get", resource(kind), name, err))
	}
	if err == nil && w.Selector != nil {
		selector, err := metav1.LabelSelectorAsSelector(w.Selector)
		if err != nil {
			return nil, gaps, err
		}
		pods, err := r.Pods(ctx, namespace, selector.String())
		return pods, gaps, err
	}
	all, err := r.Pods(ctx, namespace, "")
	if err != nil {
		return nil, gaps, err
	}
	jobs := r.jobsOf(ctx, kind, namespace, name)
	for _, pod := range all {
		owner := evidence.OwnerOf(pod)
		if owner.Kind == kind && owner.Name == name || owner.Kind == "Job" && slices.Contains(jobs, owner.Name) {
			pods = append(pods, pod)
		}
	}
	return pods, gaps, nil
}

// jobsOf returns the names of a CronJob's Jobs.
func (r *Reader) jobsOf(ctx context.Context, kind, namespace, name string) (names []string) {
	if kind != "CronJob" {
		return nil
	}
	list, err := r.Client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	return jobNames(list.Items, name)
}

func jobNames(jobs []batchv1.Job, cronJob string) (names []string) {
	for i := range jobs {
		if ref := metav1.GetControllerOf(&jobs[i]); ref != nil && ref.Name == cronJob {
			names = append(names, jobs[i].Name)
		}
	}
	return names
}

// Pods lists pods in pages. An empty namespace means all.
func (r *Reader) Pods(ctx context.Context, namespace, selector string) (pods []*corev1.Pod, err error) {
	err = r.EachPod(ctx, namespace, selector, func(pod *corev1.Pod) { pods = append(pods, pod) })
	return pods, err
}

// EachPod calls do for each pod.
func (r *Reader) EachPod(ctx context.Context, namespace, selector string, do func(*corev1.Pod)) error {
	options := metav1.ListOptions{LabelSelector: selector, Limit: r.ChunkSize}
	for {
		list, err := r.Client.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil {
			return fatal("list", "pods", orAll(namespace), err)
		}
		for i := range list.Items {
			do(&list.Items[i])
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return nil
		}
	}
}

func orAll(namespace string) string {
	if namespace == "" {
		return "in all namespaces"
	}
	return "in " + namespace
}

// Role is the ClusterRole of what is read. Only pods are needed; what else is missing makes the verdict less sure.
const Role = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: kubectl-startgate
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets, replicasets]
  verbs: [get]
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [get, list]
`
