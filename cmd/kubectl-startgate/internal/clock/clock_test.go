package clock

import (
	"strings"
	"testing"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// at is a time of the day of the tests.
func at(t testing.TB, clock string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, "2026-11-22T"+clock+"Z")
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestForms(t *testing.T) {
	for _, test := range []struct {
		name, got, text, want string
		resolution            time.Duration
	}{
		{"none", "10:41:15.2", "cannot reach the database", "10:41:15.2", time.Nanosecond},
		{"RFC 3339", "10:41:16", "2026-11-22T10:41:15.123Z error", "10:41:15.123", time.Millisecond},
		{"with an offset", "10:41:16", "2026-11-22T11:41:15.123456+01:00 error", "10:41:15.123456", time.Microsecond},
		{"zone with a space", "10:41:16", "2026-11-22 10:41:15.12 UTC [1] LOG", "10:41:15.12", 10 * time.Millisecond},
		{"python logging", "10:41:15.2", "2026-11-22 10:41:15,123 ERROR", "10:41:15.123", time.Millisecond},
		{"local zone", "10:41:15.2", "2026-11-22 16:11:15,123 ERROR", "10:41:15.123", time.Millisecond},
		{"go log", "10:41:15.2", "2026/11/22 10:41:15 dial", "10:41:15", 200 * time.Millisecond},
		{"klog", "10:41:15.2", "E1122 10:41:15.123456       1 main.go:7] dial", "10:41:15.123456", time.Microsecond},
		{"common log format", "10:41:15.2", `10.0.0.1 - - [22/Nov/2026:10:41:15 +0000] "GET /"`, "10:41:15", 200 * time.Millisecond},
		{"redis", "10:41:15.2", "1:M 22 Nov 2026 10:41:15.123 * Ready", "10:41:15.123", time.Millisecond},
		{"time alone", "10:41:15.2", "10:41:15.123 [main] ERROR", "10:41:15.123", time.Millisecond},
		{"zap", "10:41:16", `{"level":"error","ts":1795344075.25,"msg":"x"}`, "10:41:15.25", 10 * time.Millisecond},
		{"zap, told late", "10:59:00", `{"level":"error","ts":1795344075.25,"msg":"x"}`, "10:41:15.25", 10 * time.Millisecond},
		{"pino", "10:41:16", `{"level":50,"time":1795344075123,"msg":"x"}`, "10:41:15.123", time.Millisecond},
		{"told late", "10:59:00", "2026-11-22T10:41:15Z error", "10:41:15", time.Second},
		{"a clock that is ahead", "10:41:15", "2026-11-22T19:03:15Z error", "10:41:15", time.Nanosecond},
		{"a quoted time", "10:50:00", "2026-11-22T10:50:00Z status: since 2026-11-22T10:41:15Z: connection refused", "10:41:15", time.Second},
		{"a time of another field", "10:50:00", `time=2026-11-22T10:50:00Z token_from="2026-11-22T10:41:15Z" msg="connection refused"`, "10:50:00", time.Second},
		{"nested JSON", "10:41:15.5", `{"build":{"date":"2026-10-01T08:00:00Z"},"expires":"2026-11-22T22:00:00Z","@timestamp":"2026-11-22T10:41:15.4Z","message":"connection refused"}`, "10:41:15.4", 100 * time.Millisecond},
		{"JSON whose error comes first", "10:41:15.5", `{"msg":"connection refused","retry":{"time":"2026-11-22T10:41:10Z"},"time":"2026-11-22T10:41:15.4Z"}`, "10:41:15.4", 100 * time.Millisecond},
		{"JSON without a time of its own", "10:41:15.5", `{"certificate":{"from":"2026-10-01T08:00:00Z"},"msg":"connection refused"}`, "10:41:15.5", time.Nanosecond},
		{"a time to come", "10:50:00", "2026-11-22T10:50:00Z again at 2026-11-22T11:00:00Z: connection refused", "10:50:00", time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			var clock Clock
			place := len(test.text)
			if i := strings.Index(test.text, "connection refused"); i >= 0 {
				place = i
			}
			got := clock.Of(evidence.Line{At: at(t, test.got), Text: test.text}, place)
			if !got.At.Equal(at(t, test.want)) || got.Resolution != test.resolution {
				t.Errorf("%v and %v, want %s and %v", got.At, got.Resolution, test.want, test.resolution)
			}
		})
	}
}

// TestContinuation: a stack trace is as old as its first line, also when the program names times.
func TestContinuation(t *testing.T) {
	var clock Clock
	clock.Of(evidence.Line{At: at(t, "10:41:15.9"), Text: "2026-11-22 10:41:15.100 ERROR"}, 0)
	for _, text := range []string{"\tat java.base/Net.connect", "Caused by: java.net.ConnectException: Connection refused"} {
		if got := clock.Of(evidence.Line{At: at(t, "10:41:16"), Text: text}, 0); !got.At.Equal(at(t, "10:41:15.1")) {
			t.Errorf("%q is of %v", text, got.At)
		}
	}
	if got := clock.Of(evidence.Line{Text: "no time at all"}, 0); !got.At.Equal(at(t, "10:41:15.1")) {
		t.Errorf("without a time: %v", got.At)
	}
}

// TestZone has a log that was saved without the runtime's times. Its zone is known by the program's start, or not at all.
func TestZone(t *testing.T) {
	for began, want := range map[string]string{"10:41:14": "10:41:15.123", "16:11:14": "16:11:15.123", "16:05:00": ""} {
		clock := Clock{Began: at(t, began)}
		got := clock.Of(evidence.Line{Text: "2026-11-22 12:41:15,123 ERROR"}, 0)
		if want == "" && got.Known() || want != "" && !got.At.Equal(at(t, want)) {
			t.Errorf("of a program that began at %s: %v, want %q", began, got.At, want)
		}
	}
	var clock Clock
	if got := clock.Of(evidence.Line{Text: "2026-11-22 12:41:15,123 ERROR"}, 0); got.Known() {
		t.Errorf("nothing tells the zone, and it is %v", got.At)
	}
}
