package incident

// Helpers: the log of a scenario, and what the tests look for in it.

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// line is a line of the log: who wrote it, when, and what it says.
type line struct {
	who  string
	at   time.Time
	text string
}

// timeline is the log of one scenario, as run.sh prints it.
type timeline struct {
	testing.TB
	lines []line
}

// runScenario runs a scenario to its end.
func runScenario(t testing.TB, scenario string) *timeline {
	t.Helper()
	return &timeline{t, parse(t, runLog(t, scenario))}
}

// runLog runs a scenario to its end, and returns what run.sh prints.
func runLog(t testing.TB, scenario string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "./run.sh", scenario)
	cmd.Env = append(os.Environ(), "STARTGATE="+binary)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	t.Logf("%s%s", &stdout, &stderr)
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%v, and on standard error %q", err, &stderr)
	}
	return stdout.String()
}

// stamped is a line with its name and its time.
var stamped = regexp.MustCompile(`^\[(\S+)\] (\S+Z) (.*)$`)

func parse(t testing.TB, log string) (lines []line) {
	t.Helper()
	for text := range strings.Lines(log) {
		parts := stamped.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if parts == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, parts[2])
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line{parts[1], at, parts[3]})
	}
	return lines
}

// all returns the lines that one part has written and that match the pattern.
func (l *timeline) all(who, pattern string) (found []line) {
	re := regexp.MustCompile(pattern)
	for _, line := range l.lines {
		if line.who == who && re.MatchString(line.text) {
			found = append(found, line)
		}
	}
	return found
}

// some returns the same lines. There must be at least n.
func (l *timeline) some(n int, who, pattern string) []line {
	l.Helper()
	found := l.all(who, pattern)
	if len(found) < n {
		l.Fatalf("%d lines of %s with %q, want %d or more", len(found), who, pattern, n)
	}
	return found
}

// first returns the first of these lines. There must be one.
func (l *timeline) first(who, pattern string) line {
	l.Helper()
	return l.some(1, who, pattern)[0]
}

// last returns the last of these lines. There must be one.
func (l *timeline) last(who, pattern string) line {
	l.Helper()
	found := l.some(1, who, pattern)
	return found[len(found)-1]
}

// none checks that there is no such line.
func (l *timeline) none(who, pattern string) {
	l.Helper()
	for _, line := range l.all(who, pattern) {
		l.Errorf("%s says: %s", line.who, line.text)
	}
}

// inOrder checks that the lines were written in this order.
func (l *timeline) inOrder(lines ...line) {
	l.Helper()
	for i := 1; i < len(lines); i++ {
		if lines[i].at.Before(lines[i-1].at) {
			l.Errorf("%s said %q %v before %s said %q", lines[i].who, lines[i].text,
				lines[i-1].at.Sub(lines[i].at), lines[i-1].who, lines[i-1].text)
		}
	}
}

// requestTime finds the time at which the agent got a request. The agent's line about it may be
// written later than what follows from the answer.
var requestTime = regexp.MustCompile(`asked at (\S+),`)

// atRequest returns the line with the time of the request that it is about.
func (l *timeline) atRequest(answer line) line {
	l.Helper()
	parts := requestTime.FindStringSubmatch(answer.text)
	if parts == nil {
		l.Fatalf("no time in %q", answer.text)
	}
	at, err := time.Parse("02/Jan/2006:15:04:05.000", parts[1])
	if err != nil {
		l.Fatal(err)
	}
	answer.at = at
	return answer
}

// ready returns the agent's first answer that the proxy is ready.
func (l *timeline) ready() line {
	l.Helper()
	return l.atRequest(l.first(proxy, "Envoy proxy is ready"))
}

// notReady returns the agent's last answer that the proxy is not ready.
func (l *timeline) notReady() line {
	l.Helper()
	return l.atRequest(l.last(proxy, "Envoy proxy is NOT ready"))
}
