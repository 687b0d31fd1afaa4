package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// timeline prints what happens, when and to whom.
type timeline struct {
	out   io.Writer
	began time.Time
	mu    sync.Mutex
}

// add prints one event.
func (t *timeline) add(who, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, "%5.2fs  %-12s%s\n", time.Since(t.began).Seconds(), who, what)
}

// output puts what one process writes on the timeline, line by line.
type output struct {
	*timeline
	rest []byte // the beginning of a line
}

// Write never fails.
func (o *output) Write(p []byte) (int, error) {
	o.rest = append(o.rest, p...)
	for {
		line, rest, ok := bytes.Cut(o.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		o.rest = rest
		o.add(attribute(string(line)))
	}
}

// logLine is a line of startgate's log, in log/slog's text format.
var logLine = regexp.MustCompile(`^time=\S+ level=(\w+) msg=("(?:[^"\\]|\\.)*"|\S+) ?(.*)$`)

// attribute returns who wrote a line, startgate or the application that it became, and the
// line in plain words.
func attribute(line string) (who, what string) {
	parts := logLine.FindStringSubmatch(line)
	if parts == nil {
		return "application", line
	}
	level, message, attrs := parts[1], parts[2], parts[3]
	if text, err := strconv.Unquote(message); err == nil {
		message = text
	}
	if level != "INFO" {
		message = strings.ToLower(level) + ": " + message
	}
	if attrs != "" {
		message += " (" + attrs + ")"
	}
	return "startgate", message
}
