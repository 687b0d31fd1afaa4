package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// eventLog is the log. Each line has an event, and says that it is startgate's: the
// application writes to the same stream.
type eventLog struct {
	logger *slog.Logger
	isText bool
}

// newLog returns the log that the settings ask for. JSON has the keys that Cloud Logging
// reads, and durations as numbers that can be compared.
func newLog(w io.Writer, s settings) eventLog {
	options := &slog.HandlerOptions{Level: s.LogLevel.Level, ReplaceAttr: plainDurations}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if s.LogFormat == formatJSON {
		options.ReplaceAttr = cloudKeys
		handler = slog.NewJSONHandler(w, options)
	}
	return eventLog{slog.New(handler).With("logger", "startgate"), s.LogFormat != formatJSON}
}

// readLogSettings reads the settings of the log alone: mistakes on the command line are logged
// before the others are read.
func readLogSettings() (s settings) {
	_ = s.LogFormat.Decode(os.Getenv(envLogFormat))
	_ = s.LogLevel.Decode(os.Getenv(envLogLevel))
	return s
}

func (l eventLog) debug(e event, message string, attrs ...any) {
	l.write(slog.LevelDebug, e, message, attrs)
}

func (l eventLog) info(e event, message string, attrs ...any) {
	l.write(slog.LevelInfo, e, message, attrs)
}

func (l eventLog) warn(e event, message string, attrs ...any) {
	l.write(slog.LevelWarn, e, message, attrs)
}

func (l eventLog) error(e event, message string, attrs ...any) {
	l.write(slog.LevelError, e, message, attrs)
}

// write writes a line. A message that ends in the target's answer says it once more where the
// key has it: in text, where both are read, the key alone does.
func (l eventLog) write(level slog.Level, e event, message string, attrs []any) {
	if i := slices.Index(attrs, any("answer")); l.isText && i >= 0 {
		message = strings.TrimSuffix(message, fmt.Sprint(": ", attrs[i+1]))
	}
	l.logger.Log(context.Background(), level, message, append([]any{"event", string(e)}, attrs...)...)
}

// plainDurations writes a duration as a user does, not in nanoseconds.
func plainDurations(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, duration(a.Value.Duration()).String())
	}
	return a
}

// severities are the names of levels that Cloud Logging knows.
var severities = map[slog.Level]string{
	slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelWarn: "WARNING", slog.LevelError: "ERROR",
}

func cloudKeys(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key+"_seconds", float64(a.Value.Duration().Microseconds())/1e6)
	}
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		return slog.String("severity", severities[a.Value.Any().(slog.Level)])
	}
	return a
}
