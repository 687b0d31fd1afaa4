package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// Workload is what is read of a workload.
type Workload struct {
	evidence.Owner
	Selector *metav1.LabelSelector
	object   metav1.Object
}

// kinds are the workloads, by the names that kubectl takes.
var kinds = []struct {
	kind, resource string
	names          []string
}{
	{"Deployment", "deployments", []string{"deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"}},
	{"StatefulSet", "statefulsets", []string{"statefulset", "statefulsets", "sts", "statefulset.apps"}},
	{"DaemonSet", "daemonsets", []string{"daemonset", "daemonsets", "ds", "daemonset.apps"}},
	{"ReplicaSet", "replicasets", []string{"replicaset", "replicasets", "rs", "replicaset.apps"}},
	{"Job", "jobs", []string{"job", "jobs", "job.batch", "jobs.batch"}},
	{"CronJob", "cronjobs", []string{"cronjob", "cronjobs", "cj", "cronjob.batch"}},
}

// KindOf returns the kind of a workload by a name that kubectl takes for it.
func KindOf(name string) (string, error) {
	for _, k := range kinds {
		if slices.Contains(k.names, strings.ToLower(name)) {
			return k.kind, nil
		}
	}
	return "", fmt.Errorf("%q is no workload: write a pod's name, or deploy, sts, ds, rs, job or cronjob with /NAME", name)
}

// resource returns the name of a kind in RBAC.
func resource(kind string) string {
	for _, k := range kinds {
		if k.kind == kind {
			return k.resource
		}
	}
	return strings.ToLower(kind) + "s"
}

// Workload reads a workload.
func (r *Reader) Workload(ctx context.Context, kind, namespace, name string) (*Workload, error) {
	get := metav1.GetOptions{}
	apps, batch := r.Client.AppsV1(), r.Client.BatchV1()
	var selector *metav1.LabelSelector
	var template *corev1.PodTemplateSpec
	var object metav1.Object
	var err error
	switch kind {
	case "Deployment":
		o, e := apps.Deployments(namespace).Get(ctx, name, get)
		object, selector, template, err = o, o.Spec.Selector, &o.Spec.Template, e
	case "StatefulSet":
		o, e := apps.StatefulSets(namespace).Get(ctx, name, get)
		object, selector, template, err = o, o.Spec.Selector, &o.Spec.Template, e
	case "DaemonSet":
		o, e := apps.DaemonSets(namespace).Get(ctx, name, get)
		object, selector, template, err = o, o.Spec.Selector, &o.Spec.Template, e
	case "ReplicaSet":
		o, e := apps.ReplicaSets(namespace).Get(ctx, name, get)
		object, selector, template, err = o, o.Spec.Selector, &o.Spec.Template, e
	case "Job":
		o, e := batch.Jobs(namespace).Get(ctx, name, get)
		object, selector, template, err = o, o.Spec.Selector, &o.Spec.Template, e
	case "CronJob":
		o, e := batch.CronJobs(namespace).Get(ctx, name, get)
		object, template, err = o, &o.Spec.JobTemplate.Spec.Template, e
	default:
		return nil, fmt.Errorf("%s is not known", kind)
	}
	if err != nil {
		return nil, err
	}
	return &Workload{evidence.Owner{Kind: kind, Name: name, Template: template}, selector, object}, nil
}

// owner reads the workload of a pod, and that of its Job.
func (r *Reader) owner(ctx context.Context, e *evidence.Evidence) evidence.Owner {
	owner := evidence.OwnerOf(e.Pod)
	for range 2 {
		if _, err := KindOf(owner.Kind); err != nil {
			break // a kind of its own, such as an Argo Workflow, or none
		}
		w, err := r.Workload(ctx, owner.Kind, e.Namespace, owner.Name)
		if err != nil {
			e.Gaps = append(e.Gaps, gap("get", resource(owner.Kind), owner.Name, err))
			break
		}
		owner.Template = w.Template
		ref := metav1.GetControllerOf(w.object)
		if ref == nil {
			break
		}
		owner = evidence.Owner{Kind: ref.Kind, Name: ref.Name, Template: w.Template}
	}
	return owner
}
