package saved

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// manifests reads objects as kubectl get -o yaml or json prints them, one or a list.
func (s *Store) manifests(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, document := range strings.Split("\n"+string(text), "\n---") {
		raw, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			return err
		}
		if err := s.object(raw, ""); err != nil {
			return err
		}
	}
	return nil
}

// object takes an object, or those of a list. Objects in a list may have no kind of their own.
func (s *Store) object(raw json.RawMessage, kind string) error {
	var head struct {
		metav1.TypeMeta `json:",inline"`
		Items           []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	if head.Kind != "" {
		kind = head.Kind
	}
	for _, item := range head.Items {
		if err := s.object(item, strings.TrimSuffix(kind, "List")); err != nil {
			return err
		}
	}
	switch kind {
	case "Pod":
		return s.pod(raw)
	case "Event":
		return s.event(raw)
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob":
		return s.workload(kind, raw)
	}
	return nil
}

func (s *Store) pod(raw json.RawMessage) error {
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw, pod); err != nil {
		return err
	}
	n := name{pod.Namespace, pod.Name}
	if taken, err := time.Parse(time.RFC3339, pod.Annotations[takenAnnotation]); err == nil {
		s.taken[n] = taken
	}
	s.pods[n] = pod
	return nil
}

func (s *Store) event(raw json.RawMessage) error {
	var event corev1.Event
	if err := json.Unmarshal(raw, &event); err != nil {
		return err
	}
	if event.InvolvedObject.Kind == "" {
		return s.newEvent(raw)
	}
	s.addEvent(event)
	return nil
}

// newEvent takes an event of events.k8s.io.
func (s *Store) newEvent(raw json.RawMessage) error {
	var event struct {
		Regarding corev1.ObjectReference `json:"regarding"`
		Note      string                 `json:"note"`
		First     metav1.Time            `json:"deprecatedFirstTimestamp"`
		Last      metav1.Time            `json:"deprecatedLastTimestamp"`
		Count     int32                  `json:"deprecatedCount"`
	}
	var old corev1.Event
	if err := json.Unmarshal(raw, &event); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &old); err != nil {
		return err
	}
	old.InvolvedObject, old.Message, old.FirstTimestamp, old.LastTimestamp, old.Count = event.Regarding, event.Note, event.First, event.Last, event.Count
	s.addEvent(old)
	return nil
}

func (s *Store) addEvent(event corev1.Event) {
	if event.InvolvedObject.Kind == "Pod" {
		n := name{event.InvolvedObject.Namespace, event.InvolvedObject.Name}
		s.events[n] = append(s.events[n], event)
	}
}

// workload remembers a workload under its own name, and under that of what it owns by its own owner.
func (s *Store) workload(kind string, raw json.RawMessage) error {
	var object struct {
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			Template    *corev1.PodTemplateSpec  `json:"template"`
			JobTemplate *batchv1.JobTemplateSpec `json:"jobTemplate"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	owner := evidence.Owner{Kind: kind, Name: object.Name, Template: object.Spec.Template}
	if object.Spec.JobTemplate != nil {
		owner.Template = &object.Spec.JobTemplate.Spec.Template
	}
	key := kind + "/" + object.Namespace + "/" + object.Name
	if ref := metav1.GetControllerOf(&object.ObjectMeta); ref != nil {
		owner = evidence.Owner{Kind: ref.Kind, Name: ref.Name, Template: object.Spec.Template}
	}
	s.owners[key] = owner
	return nil
}
