package evidence

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// templateHash is the label that a Deployment gives to the pods of one of its ReplicaSets.
const templateHash = "pod-template-hash"

// OwnerOf returns the owner that a pod names. A Deployment is known by its ReplicaSet's name.
func OwnerOf(pod *corev1.Pod) Owner {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return Owner{}
	}
	if hash := pod.Labels[templateHash]; ref.Kind == "ReplicaSet" && hash != "" {
		if name, ok := strings.CutSuffix(ref.Name, "-"+hash); ok {
			return Owner{Kind: "Deployment", Name: name}
		}
	}
	return Owner{Kind: ref.Kind, Name: ref.Name}
}
