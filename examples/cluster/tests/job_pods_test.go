package tests

// Cells of the table that are alike, and what their pods have.

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// lateSidecar is a cell of OnFailure whose sidecar starts after this many tries.
func lateSidecar(tries int) ending {
	return succeeded("124... 0", ending{
		script: "echo works", options: options(sidecar("--hold-start"), settings("STARTGATE_TIMEOUT=1s", "STARTGATE_QUIT_TIMEOUT=1s")), retries: 6,
		do: func(n *namespace, _, pod string) {
			n.waitForEnds(pod, "app", tries)
			n.letListen(pod)
		},
	})
}

func (e ending) because(reason string) ending { e.reason = reason; return e }
func (e ending) unasked() ending              { e.asked = notAsked; return e }

func options(all ...func(*corev1.Pod)) []func(*corev1.Pod) { return all }

func program(path string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Args = []string{path} }
}

func littleMemory(pod *corev1.Pod) {
	pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
}

// withState gives the application a volume that outlives a try.
func withState(pod *corev1.Pod) {
	pod.Spec.Volumes = []corev1.Volume{{Name: "state", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "state", MountPath: "/state"}}
}

// livenessProbe fails as soon as the application has made /tmp/dead.
func livenessProbe(pod *corev1.Pod) {
	pod.Spec.Containers[0].LivenessProbe = &corev1.Probe{
		PeriodSeconds: 1, FailureThreshold: 1, TimeoutSeconds: 60,
		ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "! test -e /tmp/dead"}}},
	}
}
