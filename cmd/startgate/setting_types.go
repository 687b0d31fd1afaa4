package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/startgate/startgate/wait"
)

// targets is a list of what to wait for.
type targets []wait.Target

// Decode parses value.
func (t *targets) Decode(value string) error {
	list, err := wait.ParseList(value)
	*t = list
	return err
}

// String returns the names of the targets, without credentials.
func (t targets) String() string {
	if len(t) == 0 {
		return "none"
	}
	return strings.Join(namesOf(t), ",")
}

func namesOf(list []wait.Target) []string {
	names := make([]string, len(list))
	for i, target := range list {
		names[i] = target.Name
	}
	return names
}

// quits is a list of what to tell to quit.
type quits []wait.Target

// Decode parses value.
func (q *quits) Decode(value string) error {
	list, err := wait.ParseQuitList(value, os.Getenv)
	*q = list
	return err
}

// String returns the names of the targets, without credentials.
func (q quits) String() string { return strings.Join(namesOf(q), ",") }

// duration is a length of time, or 0.
type duration time.Duration

// Decode parses value.
func (d *duration) Decode(value string) error {
	parsed, err := parseDuration(value)
	*d = duration(parsed)
	return err
}

// positive is a length of time that is not 0.
type positive time.Duration

// Decode parses value.
func (p *positive) Decode(value string) error {
	parsed, err := parseDuration(value)
	if err == nil && parsed == 0 {
		return errors.New("must be more than 0, such as 500ms")
	}
	*p = positive(parsed)
	return err
}

func parseDuration(value string) (time.Duration, error) {
	parsed, err := time.ParseDuration(value)
	_, notNumber := time.ParseDuration(value + "s")
	switch {
	case err == nil && parsed < 0:
		return 0, fmt.Errorf("must not be negative, write %v", -parsed)
	case err != nil && notNumber == nil && strings.HasPrefix(value, "-"):
		return 0, fmt.Errorf("must not be negative, write %ss", value[1:])
	case err != nil && notNumber == nil:
		return 0, fmt.Errorf("missing unit, write %ss", value)
	case err != nil:
		return 0, errors.New("not a duration, write it like 500ms, 90s or 1h30m")
	}
	return parsed, nil
}

// onTimeout is what to do when a target was not ready in time.
type onTimeout string

// Decode parses value.
func (o *onTimeout) Decode(value string) error {
	*o = onTimeout(value)
	return oneOf(value, "fail", "start")
}

// quitOn is after which end of the application the sidecars are told to quit.
type quitOn string

// Decode parses value.
func (q *quitOn) Decode(value string) error {
	*q = quitOn(value)
	return oneOf(value, "always", "success")
}

// places are addresses to serve metrics at, and absolute paths of files.
type places []string

// Decode parses value.
func (p *places) Decode(value string) error {
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		host, port, err := net.SplitHostPort(item)
		number, notNumber := strconv.ParseUint(port, 10, 16)
		switch {
		case strings.HasPrefix(item, "/") && !strings.HasSuffix(item, "/"):
		case err != nil || notNumber != nil || number == 0 || strings.Contains(host, "/"):
			return fmt.Errorf("%q is not an address or an absolute path: write it like :9102 or /path/x.prom", item)
		}
		*p = append(*p, item)
	}
	return nil
}

// truth is true or false.
type truth bool

// Decode parses value.
func (t *truth) Decode(value string) error {
	*t = value == "true"
	return oneOf(value, "true", "false")
}

// logFormat is the form of the log.
type logFormat string

// Decode parses value.
func (f *logFormat) Decode(value string) error {
	*f = logFormat(value)
	return oneOf(value, "text", "json")
}

// level is the least severity that is logged.
type level struct{ slog.Level }

// Decode parses value.
func (l *level) Decode(value string) error {
	if err := oneOf(value, "debug", "info", "warn", "error"); err != nil {
		return err
	}
	return l.UnmarshalText([]byte(value))
}

func oneOf(value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	last := len(words) - 1
	return fmt.Errorf("write %s or %s", strings.Join(words[:last], ", "), words[last])
}
