package tests

import (
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// grace is terminationGracePeriodSeconds of pods for which it is not the point.
const grace = 2

// aPod returns a pod, injected unless an option says otherwise, whose container app has
// startgate in front and runs a shell script.
func aPod(name, script string, options ...func(*corev1.Pod)) *corev1.Pod {
	seconds := int64(grace)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{injectLabel: "true"}, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: &seconds,
			Containers: []corev1.Container{{
				Name: "app", Image: "localhost/shell:1", Args: []string{"sh", "-c", script},
				Env: []corev1.EnvVar{statusFromAnnotation},
			}},
		},
	}
	for _, option := range options {
		option(pod)
	}
	return pod
}

// statusFromAnnotation is the setting by which the README hands the annotation over.
var statusFromAnnotation = corev1.EnvVar{
	Name: "STARTGATE_SIDECAR_STATUS",
	ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['sidecar.istio.io/status']"},
	},
}

// settings are settings of startgate, as NAME=value.
func settings(pairs ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		app := &pod.Spec.Containers[0]
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			app.Env = append(app.Env, corev1.EnvVar{Name: name, Value: value})
		}
	}
}

// sidecar gives the stand-in these arguments.
func sidecar(args ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Annotations[argsAnnotation] = strings.Join(args, ",") }
}

// annotated sets an annotation that testdata/injector.yaml reads.
func annotated(name string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Annotations[name] = "true" }
}

func image(name string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = name }
}

func restart(policy corev1.RestartPolicy) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.RestartPolicy = policy }
}

func notInjected(pod *corev1.Pod) { pod.Labels[injectLabel] = "false" }

// withoutStartgate runs the script itself.
func withoutStartgate(pod *corev1.Pod) {
	app := &pod.Spec.Containers[0]
	app.Command, app.Args = app.Args, nil
}

// create makes a pod and returns its name.
func (n *namespace) create(pod *corev1.Pod) string {
	n.Helper()
	if _, err := cluster.Client.CoreV1().Pods(n.name).Create(n.Context(), pod, metav1.CreateOptions{}); err != nil {
		n.Fatal(err)
	}
	return pod.Name
}

// createJob makes a Job of the pod, which is tried once unless an option says otherwise.
func (n *namespace) createJob(pod *corev1.Pod, options ...func(*batchv1.Job)) string {
	n.Helper()
	var once int32
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name},
		Spec: batchv1.JobSpec{
			BackoffLimit: &once,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations},
				Spec:       pod.Spec,
			},
		},
	}
	for _, option := range options {
		option(job)
	}
	if _, err := cluster.Client.BatchV1().Jobs(n.name).Create(n.Context(), job, metav1.CreateOptions{}); err != nil {
		n.Fatal(err)
	}
	return job.Name
}

// podOfJob waits for the first pod of a Job and returns its name.
func (n *namespace) podOfJob(job string) string {
	n.Helper()
	var name string
	n.eventually("the Job "+job+" has a pod", func() bool {
		for _, name = range n.podNames() {
			if pod, _ := n.pod(name); pod.Labels[batchv1.JobNameLabel] == job {
				return true
			}
		}
		return false
	})
	return name
}

// waitForJob waits until the Job is Complete or Failed, and returns which, and why.
func (n *namespace) waitForJob(name string) (end batchv1.JobConditionType, reason string) {
	n.Helper()
	n.eventually("the Job "+name+" ends", func() bool {
		job, err := cluster.Client.BatchV1().Jobs(n.name).Get(n.Context(), name, metav1.GetOptions{})
		if err != nil {
			n.Fatal(err)
		}
		for _, condition := range job.Status.Conditions {
			if condition.Status == corev1.ConditionTrue && (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) {
				end, reason = condition.Type, condition.Reason
				return true
			}
		}
		return false
	})
	return end, reason
}
