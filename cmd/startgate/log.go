package main

import (
	"io"
	"log/slog"
)

// newLogger returns the log that the settings ask for. JSON has the keys that
// Cloud Logging reads, and durations as numbers that can be compared.
func newLogger(w io.Writer, s settings) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel.Level, ReplaceAttr: plainDurations}
	if s.LogFormat == "json" {
		options.ReplaceAttr = cloudKeys
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// plainDurations writes a duration as a user does, not in nanoseconds.
func plainDurations(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
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
