package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
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
	past  []event
}

type event struct {
	at        time.Duration // since the beginning
	who, what string
}

// add prints one event.
func (t *timeline) add(who, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := event{time.Since(t.began), who, what}
	t.past = append(t.past, e)
	fmt.Fprintf(t.out, "%6.3fs  %-12s%s\n", e.at.Seconds(), e.who, e.what)
}

// gap returns the time from when the sidecar was ready to what the application did first
// after that.
func (t *timeline) gap() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	ready := slices.IndexFunc(t.past, func(e event) bool { return e.what == isReady })
	started := slices.IndexFunc(t.past[ready+1:], func(e event) bool { return e.who == "application" })
	if ready < 0 || started < 0 {
		return 0
	}
	return t.past[ready+1+started].at - t.past[ready].at
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

// A line of startgate's log, in log/slog's text format, and what follows the message.
var (
	logLine = regexp.MustCompile(`^time=\S+ level=(\w+) msg=("(?:[^"\\]|\\.)*"|\S+) ?(.*)$`)
	logAttr = regexp.MustCompile(`(\S+?)=("(?:[^"\\]|\\.)*"|\S+)`)
)

// shown are the attributes that tell something more to who sees this for the first time, besides
// the answer of what is not ready. The times are in front of the lines.
var shown = []string{"timeout", "hint"}

// attribute returns who wrote a line, startgate or the application that it became, and the
// line in plain words.
func attribute(line string) (who, what string) {
	parts := logLine.FindStringSubmatch(line)
	if parts == nil {
		return "application", line
	}
	level, message := parts[1], plain(parts[2])
	if level != "INFO" {
		message = strings.ToLower(level) + ": " + message
	}
	var attrs []string
	for _, attr := range logAttr.FindAllStringSubmatch(parts[3], -1) {
		key, value := attr[1], plain(attr[2])
		switch {
		case key == "answer" && !strings.Contains(parts[3], "event=ready"):
			message += ": " + value
		case slices.Contains(shown, key) && !strings.Contains(message, value):
			attrs = append(attrs, key+": "+value)
		}
	}
	if len(attrs) > 0 {
		message += " (" + strings.Join(attrs, ", ") + ")"
	}
	return "startgate", message
}

// plain takes away the quotes of a value, if it has any.
func plain(value string) string {
	if text, err := strconv.Unquote(value); err == nil {
		return text
	}
	return value
}
