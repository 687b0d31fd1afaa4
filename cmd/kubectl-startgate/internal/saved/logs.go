package saved

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
)

// dumpStart begins a container's log in kubectl cluster-info dump.
const dumpStart = "==== START logs for container "

var dumpHeader = regexp.MustCompile(`^==== START logs for container (\S+) of pod ([^/\s]+)/(\S+) ====$`)

// dump reads a logs.txt of kubectl cluster-info dump: those of all containers, one after the other.
func (s *Store) dump(path string) error {
	return eachLine(path, func(line string) {
		header := dumpHeader.FindStringSubmatch(line)
		if header == nil {
			return
		}
		n := name{header[2], header[3]}
		s.addLog(n, evidence.Log{Container: header[1], Lines: func(yield func(evidence.Line) bool) {
			inside := false
			lazily(path, func(text string) (string, bool) {
				if strings.HasPrefix(text, "==== START") || strings.HasPrefix(text, "==== END") {
					inside = text == line
					return "", false
				}
				return text, inside
			})(yield)
		}})
	})
}

// prefixed is a line of kubectl logs --prefix.
var prefixed = regexp.MustCompile(`^\[pod/([^/\]]+)/([^\]]+)\] `)

// prefixedLog reads what kubectl logs --all-containers --prefix prints.
func (s *Store) prefixedLog(path string) error {
	seen := map[string]bool{}
	return eachLine(path, func(line string) {
		prefix := prefixed.FindStringSubmatch(line)
		if prefix == nil || seen[prefix[0]] {
			return
		}
		seen[prefix[0]] = true
		s.addLog(s.podNamed(prefix[1]), evidence.Log{Container: prefix[2], Previous: strings.Contains(filepath.Base(path), "previous"), Lines: lazily(path, func(text string) (string, bool) {
			return strings.CutPrefix(text, prefix[0])
		})})
	})
}

func eachLine(path string, do func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for line := range evidence.Texts(f) {
		do(line)
	}
	return nil
}

func (s *Store) addLog(n name, log evidence.Log) { s.logs[n] = append(s.logs[n], log) }

// podNamed returns a pod whose namespace is not told.
func (s *Store) podNamed(pod string) name {
	for n := range s.pods {
		if n.pod == pod {
			return n
		}
	}
	for n := range s.events {
		if n.pod == pod {
			return n
		}
	}
	return name{"", pod}
}

// logByName finds out by its name whose log a file is: POD.CONTAINER.log, CONTAINER.log, POD/CONTAINER.log, each with
// .previous before the end, and with other separators.
func (s *Store) logByName(root, path string) {
	relative, err := filepath.Rel(root, path)
	if err != nil || relative == "." {
		relative = filepath.Base(path)
	}
	relative = strings.TrimSuffix(strings.TrimSuffix(relative, ".txt"), ".log")
	previous := strings.Contains(relative, "previous")
	n, rest := s.podIn(relative)
	container := s.containerIn(n, rest)
	if container == "" {
		s.gaps = append(s.gaps, evidence.Gap{Verb: "read", Resource: "file", Name: path, Why: "its name does not say of which container it is: name it POD.CONTAINER.log"})
		return
	}
	s.addLog(n, evidence.Log{Container: container, Previous: previous, Lines: evidence.Lines(func() (io.ReadCloser, error) { return os.Open(path) })})
}

// podIn finds the pod in a file's name, and returns the rest of the name.
func (s *Store) podIn(relative string) (name, string) {
	var all []name
	for n := range s.pods {
		all = append(all, n)
	}
	for n := range s.events {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b name) int { return len(b.pod) - len(a.pod) })
	for _, n := range all {
		if i := strings.Index(relative, n.pod); i >= 0 {
			return n, relative[:i] + " " + relative[i+len(n.pod):]
		}
	}
	all = slices.Compact(all)
	if len(all) == 1 || len(s.pods) == 1 {
		for n := range s.pods {
			return n, relative
		}
		return all[0], relative
	}
	if pod, container, ok := strings.Cut(relative, "."); ok && !strings.HasPrefix(container, "previous") {
		return name{"", filepath.Base(pod)}, container
	}
	return name{"", "pod"}, relative
}

// containerIn finds the container in the rest of a file's name.
func (s *Store) containerIn(n name, rest string) string {
	words := strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(" ./_", r) })
	if pod := s.pods[n]; pod != nil {
		containers := sidecar.Containers(pod)
		slices.SortFunc(containers, func(a, b sidecar.Container) int { return len(b.Name) - len(a.Name) })
		for _, c := range containers {
			if slices.ContainsFunc(words, func(word string) bool { return strings.Trim(strings.TrimSuffix(word, "previous"), "-") == c.Name }) {
				return c.Name
			}
		}
		for _, c := range containers {
			if strings.Contains(rest, c.Name) {
				return c.Name
			}
		}
		return ""
	}
	words = slices.DeleteFunc(words, func(word string) bool { return word == "previous" })
	if len(words) == 0 {
		return ""
	}
	return strings.Trim(strings.TrimSuffix(words[len(words)-1], "previous"), "-")
}
