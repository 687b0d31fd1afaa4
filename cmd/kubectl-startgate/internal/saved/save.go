package saved

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// takenAnnotation says when a pod was saved.
const takenAnnotation = "startgate.dev/saved-at"

// warningFile is beside what is saved.
const warningFile = "READ-ME-FIRST.txt"

// Warning is what a user must know before the files go to somebody.
const Warning = `The values of environment variables, arguments and annotations are left out.
The logs are whole: they may hold passwords, tokens, addresses and personal data.
Read them before you send this to somebody.
`

// Save writes what is known of a pod, so that Load reads it.
func Save(dir string, e *evidence.Evidence) error {
	for _, log := range e.Logs {
		if name := e.Name + log.Container; filepath.Base(name) != name { // of somebody else's export
			return fmt.Errorf("%q is no name of a pod and a container", name)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, warningFile), []byte(Warning)); err != nil {
		return err
	}
	if e.Pod != nil {
		if err := writeYAML(filepath.Join(dir, e.Name+".pod.yaml"), redactPod(e.Pod, e.Taken)); err != nil {
			return err
		}
	}
	if len(e.Events) > 0 {
		list := corev1.EventList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "EventList"}, Items: redactEvents(e.Events)}
		if err := writeYAML(filepath.Join(dir, e.Name+".events.yaml"), list); err != nil {
			return err
		}
	}
	for _, log := range e.Logs {
		if err := writeLog(dir, e.Name, log); err != nil {
			return err
		}
	}
	return nil
}

func writeYAML(path string, object any) error {
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	return write(path, text)
}

// write writes a file that only its owner may read: it tells of what is in a cluster.
func write(path string, text []byte) error { return os.WriteFile(path, text, 0o600) }

func writeLog(dir, pod string, log evidence.Log) error {
	previous := ""
	if log.Previous {
		previous = ".previous"
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s.%s%s.log", pod, log.Container, previous)), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for line := range log.Lines {
		if !line.At.IsZero() {
			fmt.Fprintf(w, "%s ", line.At.UTC().Format(time.RFC3339Nano))
		}
		fmt.Fprintln(w, line.Text)
	}
	return w.Flush()
}
