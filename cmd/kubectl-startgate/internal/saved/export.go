package saved

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

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
