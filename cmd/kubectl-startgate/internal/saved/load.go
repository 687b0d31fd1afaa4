// Package saved reads what was saved of pods that may be gone: kubectl's output, its cluster-info dump, and the
// exports of log stores. It also writes what it reads.
package saved

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// Store is what a folder holds.
type Store struct {
	pods   map[name]*corev1.Pod
	events map[name][]corev1.Event
	logs   map[name][]evidence.Log
	owners map[string]evidence.Owner // by kind, namespace and name
	gaps   []evidence.Gap
	taken  map[name]time.Time
	files  []string // logs that are known by their names; they are read when all pods are known
}

// name is that of a pod.
type name struct{ namespace, pod string }

// Load reads a folder and those in it, or a file.
func Load(path string) (*Store, error) {
	s := &Store{pods: map[name]*corev1.Pod{}, events: map[name][]corev1.Event{}, logs: map[name][]evidence.Log{}, owners: map[string]evidence.Owner{}, taken: map[name]time.Time{}}
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") || entry.Name() == warningFile {
			return err
		}
		if err := s.file(path); err != nil {
			s.gaps = append(s.gaps, evidence.Gap{Verb: "read", Resource: "file", Name: path, Why: err.Error()})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, file := range s.files {
		s.logByName(path, file)
	}
	if len(s.pods)+len(s.logs)+len(s.events) == 0 {
		return nil, fmt.Errorf("cannot find pods, events or logs in %s", path)
	}
	return s, nil
}

// file reads a file by what is in it.
func (s *Store) file(path string) error {
	head, err := head(path)
	if err != nil {
		return err
	}
	text := string(head)
	switch first, _, _ := strings.Cut(text, "\n"); {
	case len(bytes.TrimSpace(head)) == 0:
		return nil
	case isManifest(text):
		return s.manifests(path)
	case strings.HasPrefix(first, dumpStart):
		return s.dump(path)
	case prefixed.MatchString(first):
		return s.prefixedLog(path)
	case isExport(path, text):
		return s.export(path)
	}
	s.files = append(s.files, path)
	return nil
}

func head(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return head[:n], err
}

// manifest is how an object of Kubernetes begins, as YAML or as JSON.
var manifest = regexp.MustCompile(`(?m)^apiVersion: |^\s*\{\s*"(apiVersion|kind|items)"`)

func isManifest(head string) bool { return manifest.MatchString(head) }

// lazily reads a log again each time, so that it may be longer than memory. keep chooses lines of the file, and
// returns them without what is not theirs.
func lazily(path string, keep func(string) (string, bool)) func(func(evidence.Line) bool) {
	return func(yield func(evidence.Line) bool) {
		f, err := os.Open(path)
		if err != nil {
			return
		}
		defer f.Close()
		for line := range evidence.Texts(f) {
			if text, ok := keep(line); ok && !yield(evidence.ParseLine(text)) {
				return
			}
		}
	}
}

// Names returns all pods, by namespace and name. One with nothing except events is left out, unless there are only such.
func (s *Store) Names() (names []string) {
	for n := range s.pods {
		names = append(names, n.namespace+"/"+n.pod)
	}
	for n := range s.logs {
		names = append(names, n.namespace+"/"+n.pod)
	}
	if len(names) == 0 {
		for n := range s.events {
			names = append(names, n.namespace+"/"+n.pod)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Evidence returns what is known of a pod.
func (s *Store) Evidence(full string) *evidence.Evidence {
	namespace, pod, _ := strings.Cut(full, "/")
	n := name{namespace, pod}
	e := &evidence.Evidence{Namespace: namespace, Name: pod, Pod: s.pods[n], Logs: s.logs[n], Gaps: s.gaps, Taken: s.taken[n]}
	uid := lastUID(s.events[n])
	if e.Pod != nil {
		uid = e.Pod.UID
		e.Owner = s.owner(e.Pod)
	}
	for _, event := range s.events[n] {
		if evidence.IsOf(event, uid) {
			e.Events = append(e.Events, event)
		}
	}
	return e
}

// lastUID returns the UID of the last of the pods with one name that there were.
func lastUID(events []corev1.Event) (uid types.UID) {
	var last time.Time
	for _, event := range events {
		at := cmp.Or(event.LastTimestamp.Time, event.EventTime.Time, event.FirstTimestamp.Time)
		if !at.Before(last) {
			uid, last = event.InvolvedObject.UID, at
		}
	}
	return uid
}

// owner follows the owners of a pod as far as they were saved.
func (s *Store) owner(pod *corev1.Pod) evidence.Owner {
	owner := evidence.OwnerOf(pod)
	for range 2 {
		found, ok := s.owners[owner.Kind+"/"+pod.Namespace+"/"+owner.Name]
		if !ok {
			break
		}
		owner = found
	}
	return owner
}
