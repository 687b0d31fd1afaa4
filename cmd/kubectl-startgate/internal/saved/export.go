package saved

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// isExport reports whether a file is JSON of a log store: an array, or an object a line, that names pods.
func isExport(path, head string) bool {
	head = strings.TrimSpace(head)
	if !strings.HasPrefix(head, "{") && !strings.HasPrefix(head, "[{") && !strings.HasPrefix(head, "[\n") && !strings.HasPrefix(head, "[ ") && !strings.HasPrefix(head, "[[") {
		return false
	}
	return strings.HasSuffix(path, ".json") || strings.HasSuffix(path, ".jsonl") || strings.HasSuffix(path, ".ndjson") ||
		strings.Contains(head, `"pod_name"`) || strings.Contains(head, `"kubernetes"`) || strings.Contains(head, `"labels"`)
}

// record is an entry of a log store, as JSON.
type record = map[string]any

// Where the stores keep what is needed: Cloud Logging; Elastic's Beats; Fluent Bit; Loki.
var (
	podPaths       = []string{"resource.labels.pod_name", "kubernetes.pod.name", "kubernetes.pod_name", "labels.pod", "stream.pod", "pod", "pod_name", "labels.pod_name"}
	containerPaths = []string{"resource.labels.container_name", "kubernetes.container.name", "kubernetes.container_name", "labels.container", "stream.container", "container", "container_name", "labels.container_name"}
	namespacePaths = []string{"resource.labels.namespace_name", "kubernetes.namespace", "kubernetes.namespace_name", "labels.namespace", "stream.namespace", "namespace", "namespace_name"}
	timePaths      = []string{"timestamp", "@timestamp", "time", "ts"}
	textPaths      = []string{"textPayload", "log", "line", "message", "@message", "msg"}
)

// export reads JSON of a log store.
func (s *Store) export(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	x := &exporter{Store: s, lines: map[name]map[string][]evidence.Line{}}
	r := bufio.NewReader(f)
	decoder := json.NewDecoder(r)
	decoder.UseNumber()
	for {
		var value any
		if err = decoder.Decode(&value); err != nil {
			break
		}
		x.value(value)
	}
	x.finish()
	if err == io.EOF {
		return nil
	}
	return err
}

// exporter collects the lines of an export, which come in any order.
type exporter struct {
	*Store
	lines map[name]map[string][]evidence.Line
}

// value takes whatever there is: an entry, a list of them, or an answer with such a list in it.
func (x *exporter) value(value any) {
	switch value := value.(type) {
	case []any:
		if fields, ok := insights(value); ok {
			x.entry(fields)
			return
		}
		for _, inner := range value {
			x.value(inner)
		}
	case record:
		for _, list := range []string{"entries", "events", "results", "hits.hits", "data.result"} {
			if inner, ok := at(value, list).([]any); ok {
				x.value(inner)
				return
			}
		}
		if values, ok := value["values"].([]any); ok { // a stream of Loki's
			x.stream(value, values)
			return
		}
		if inner, ok := value["_source"].(record); ok {
			value = inner
		}
		x.entry(value)
	}
}

// insights turns a row of CloudWatch Logs Insights into an entry.
func insights(row []any) (record, bool) {
	fields := record{}
	for _, cell := range row {
		pair, ok := cell.(record)
		key, isField := pair["field"].(string)
		if !ok || !isField {
			return nil, false
		}
		fields[key] = pair["value"]
	}
	return fields, len(fields) > 0
}

func (x *exporter) stream(stream record, values []any) {
	for _, value := range values {
		if pair, ok := value.([]any); ok && len(pair) >= 2 {
			x.entry(record{"stream": stream["stream"], "timestamp": pair[0], "line": pair[1]})
		}
	}
}

// entry takes one entry. What the node's agent has packed into its text is unpacked.
func (x *exporter) entry(entry record) {
	if text, ok := pick(entry, textPaths).(string); ok && strings.HasPrefix(text, "{") && strings.Contains(text, `"kubernetes"`) {
		inner := record{}
		if json.Unmarshal([]byte(text), &inner) == nil {
			if _, ok := inner["timestamp"]; !ok {
				inner["timestamp"] = pick(entry, timePaths)
			}
			entry = inner
		}
	}
	if x.eventIn(entry) {
		return
	}
	pod, container := text(pick(entry, podPaths)), text(pick(entry, containerPaths))
	if pod == "" || container == "" {
		return
	}
	n := name{text(pick(entry, namespacePaths)), pod}
	if x.lines[n] == nil {
		x.lines[n] = map[string][]evidence.Line{}
	}
	x.lines[n][container] = append(x.lines[n][container], evidence.Line{At: when(pick(entry, timePaths)), Text: message(entry)})
}

// eventIn takes an event of Kubernetes that was logged.
func (x *exporter) eventIn(entry record) bool {
	for _, place := range []string{"jsonPayload", "event", "kubernetes.event", "."} {
		inner, ok := at(entry, place).(record)
		if place == "." {
			inner, ok = entry, true
		}
		if !ok || inner["involvedObject"] == nil {
			continue
		}
		raw, err := json.Marshal(inner)
		var event corev1.Event
		if err == nil && json.Unmarshal(raw, &event) == nil {
			x.addEvent(event)
			return true
		}
	}
	if line, ok := pick(entry, textPaths).(string); ok && strings.Contains(line, `"involvedObject"`) {
		inner := record{}
		return json.Unmarshal([]byte(line), &inner) == nil && x.eventIn(inner)
	}
	return false
}

// finish sorts the lines.
func (x *exporter) finish() {
	for n, containers := range x.lines {
		for container, lines := range containers {
			slices.SortStableFunc(lines, func(a, b evidence.Line) int { return a.At.Compare(b.At) })
			x.addLog(n, evidence.Log{Container: container, Lines: slices.Values(lines)})
		}
	}
}

// message returns an entry's text, or its payload as JSON.
func message(entry record) string {
	if payload, ok := entry["jsonPayload"].(record); ok {
		return marshal(payload)
	}
	if line, ok := pick(entry, textPaths).(string); ok {
		return strings.TrimRight(line, "\n")
	}
	return marshal(entry)
}

func marshal(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return ""
	}
	return strings.TrimRight(b.String(), "\n")
}

// at returns what is at a path, whose keys may have points themselves.
func at(entry record, path string) any {
	if value, ok := entry[path]; ok {
		return value
	}
	for i := range path {
		if path[i] != '.' {
			continue
		}
		if inner, ok := entry[path[:i]].(record); ok {
			if value := at(inner, path[i+1:]); value != nil {
				return value
			}
		}
	}
	return nil
}

func pick(entry record, paths []string) any {
	for _, path := range paths {
		switch value := at(entry, path).(type) {
		case nil, record:
		default:
			return value
		}
	}
	return nil
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// when reads a time: RFC 3339, or a Unix time in seconds, milliseconds or nanoseconds by its length.
func when(value any) time.Time {
	s, ok := value.(string)
	if number, isNumber := value.(json.Number); isNumber {
		s, ok = number.String(), true
	}
	if !ok {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC()
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return time.Time{}
	case len(s) >= 19:
		return time.Unix(0, n).UTC()
	case len(s) >= 13:
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, 0).UTC()
}
