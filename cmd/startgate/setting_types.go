package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/startgate/startgate/wait"
)

// targets are what to wait for.
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

// quits are the sidecars to shut down after the application.
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

// String returns the length as a user writes it: 5m, not 5m0s.
func (d duration) String() string {
	text := time.Duration(d).String()
	for _, zero := range []string{"0s", "0m"} {
		if shorter := strings.TrimSuffix(text, zero); strings.HasSuffix(shorter, "m") || strings.HasSuffix(shorter, "h") {
			text = shorter
		}
	}
	return text
}

// positiveDuration is a length of time that is not 0.
type positiveDuration time.Duration

// Decode parses value.
func (p *positiveDuration) Decode(value string) error {
	parsed, err := parseDuration(value)
	if err == nil && parsed == 0 {
		return errors.New("must be more than 0, such as 500ms")
	}
	*p = positiveDuration(parsed)
	return err
}

// String returns the length as a user writes it.
func (p positiveDuration) String() string { return duration(p).String() }

// parseDuration reads a duration in any case: 5M is 5 minutes.
func parseDuration(value string) (time.Duration, error) {
	value = strings.ToLower(strings.TrimSpace(value))
	parsed, err := time.ParseDuration(value)
	_, notNumber := time.ParseDuration(value + "s")
	switch {
	case err == nil && parsed < 0:
		return 0, fmt.Errorf("must not be negative, write %v", duration(-parsed))
	case err != nil && notNumber == nil && strings.HasPrefix(value, "-"):
		return 0, fmt.Errorf("must not be negative, write %ss", value[1:])
	case err != nil && notNumber == nil:
		return 0, fmt.Errorf("missing unit, write %ss", value)
	case err != nil:
		return 0, fmt.Errorf("not a duration, write %s", cmp.Or(inUnitsOfGo(value), "it like 500ms, 90s or 1h30m"))
	}
	return parsed, nil
}

// unitsOfGo are the units that [time.ParseDuration] has, for other words and blanks.
var unitsOfGo = map[string]time.Duration{
	"ms": time.Millisecond, "msec": time.Millisecond, "millisecond": time.Millisecond,
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "d": 24 * time.Hour, "day": 24 * time.Hour,
}

// inUnitsOfGo returns a duration such as 5min, 5 m or 2 days as it has to be written, or
// nothing.
func inUnitsOfGo(value string) string {
	word := strings.TrimLeft(value, "0123456789")
	n, err := strconv.ParseUint(strings.TrimSuffix(value, word), 10, 16)
	word = strings.TrimSpace(word)
	unit := max(unitsOfGo[word], unitsOfGo[strings.TrimSuffix(word, "s")])
	if err != nil || unit == 0 {
		return ""
	}
	return duration(time.Duration(n) * unit).String()
}

// annotation is the value of an annotation that the downward API hands over.
type annotation struct {
	value string
	set   bool // also when the value is empty
}

// Decode takes value as it is.
func (a *annotation) Decode(value string) error {
	*a = annotation{value, true}
	return nil
}

// String returns the value; one that is set and empty is seen to be.
func (a annotation) String() string {
	if a.set && a.value == "" {
		return `""`
	}
	return a.value
}

// onTimeout is what to do when a target was not ready in time.
type onTimeout string

// Decode parses value.
func (o *onTimeout) Decode(value string) error {
	word, err := oneOf(value, "fail", "start")
	*o = onTimeout(word)
	return err
}

// quitOn says after which end of the application the sidecars are shut down.
type quitOn string

// Decode parses value.
func (q *quitOn) Decode(value string) error {
	word, err := oneOf(value, "always", "success")
	*q = quitOn(word)
	return err
}

// metricsTargets are addresses to serve metrics at, and absolute paths of files.
type metricsTargets []string

// Decode parses value.
func (m *metricsTargets) Decode(value string) error {
	var errs []error
	for i, item := range strings.Split(value, ",") {
		item = strings.TrimSpace(item)
		if err := checkMetricsTarget(item); err != nil {
			errs = append(errs, fmt.Errorf("cannot use item %d: %w", i+1, err))
		}
		*m = append(*m, item)
	}
	return errors.Join(errs...)
}

// checkMetricsTarget returns what is wrong with an address or a path, without showing it.
func checkMetricsTarget(item string) error {
	if strings.HasPrefix(item, "/") && !strings.HasSuffix(item, "/") {
		return nil
	}
	host, port, err := net.SplitHostPort(item)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	switch {
	case item == "":
		return errors.New("it is empty: remove the extra comma")
	case strings.HasSuffix(item, "/"):
		return errors.New("it is a directory: write the path of a file, like /path/x.prom")
	case err != nil || notNumber != nil || number == 0 || strings.Contains(host, "/"):
		return errors.New("it is neither an address nor an absolute path: write it like :9102 or /path/x.prom")
	case !isOwnAddress(host):
		return errors.New("it has a host name: write an IP address, such as 127.0.0.1:9102, or :9102")
	}
	return nil
}

// isOwnAddress reports whether net.Listen can take host without asking a name server,
// which no time limit and no signal would end.
func isOwnAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return host == "" || isLocalhost(host) || err == nil
}

func isLocalhost(host string) bool { return strings.EqualFold(host, "localhost") }

// String returns the list as it was written.
func (m metricsTargets) String() string { return strings.Join(m, ",") }

// supervision says whether the application is supervised, and what then gets its signals.
type supervision string

const superviseGroup supervision = "group"

// Decode parses value.
func (s *supervision) Decode(value string) error {
	word, err := oneOf(cmp.Or(booleans[plain(value)], value), "true", "false", string(superviseGroup))
	*s = supervision(word)
	return err
}

// booleans are other words for true and false.
var booleans = map[string]string{"1": "true", "yes": "true", "on": "true", "0": "false", "no": "false", "off": "false"}

func (s supervision) isAskedFor() bool { return s == "true" || s == superviseGroup }

// logFormat is the form of the log.
type logFormat string

const formatJSON logFormat = "json"

// Decode parses value.
func (f *logFormat) Decode(value string) error {
	word, err := oneOf(value, "text", string(formatJSON))
	*f = logFormat(word)
	return err
}

// logLevel is the least severity that is logged.
type logLevel struct{ slog.Level }

// Decode parses value.
func (l *logLevel) Decode(value string) error {
	if plain(value) == "warning" {
		value = "warn"
	}
	word, err := oneOf(value, "debug", "info", "warn", "error")
	if err != nil {
		return err
	}
	return l.UnmarshalText([]byte(word))
}

// String returns the level as a user writes it.
func (l logLevel) String() string { return strings.ToLower(l.Level.String()) }

// oneOf returns which of these words value is, in any case.
func oneOf(value string, words ...string) (string, error) {
	if word := plain(value); slices.Contains(words, word) {
		return word, nil
	}
	last := len(words) - 1
	return "", fmt.Errorf("write %s or %s", strings.Join(words[:last], ", "), words[last])
}

// plain returns a word in lower case, without blanks around it.
func plain(word string) string { return strings.ToLower(strings.TrimSpace(word)) }
