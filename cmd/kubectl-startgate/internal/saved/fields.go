package saved

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Where the stores keep what is needed: Cloud Logging; Elastic's Beats; Fluent Bit; Loki.
var (
	podPaths       = []string{"resource.labels.pod_name", "kubernetes.pod.name", "kubernetes.pod_name", "labels.pod", "stream.pod", "pod", "pod_name", "labels.pod_name"}
	containerPaths = []string{"resource.labels.container_name", "kubernetes.container.name", "kubernetes.container_name", "labels.container", "stream.container", "container", "container_name", "labels.container_name"}
	namespacePaths = []string{"resource.labels.namespace_name", "kubernetes.namespace", "kubernetes.namespace_name", "labels.namespace", "stream.namespace", "namespace", "namespace_name"}
	timePaths      = []string{"timestamp", "@timestamp", "time", "ts"}
	textPaths      = []string{"textPayload", "log", "line", "message", "@message", "msg"}
)

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
