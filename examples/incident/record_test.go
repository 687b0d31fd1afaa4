package incident

// The run that README.md shows, and that the picture is drawn from. To record another, as
// root: go test ./examples/incident -run TestRecord -update

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "record a run in README.md, and draw timeline.svg from it")

const (
	recordBegin = "<!-- run -->\n\n```text\n"
	recordEnd   = "```\n\n<!-- /run -->"
	pictureFile = "timeline.svg"
)

// recorded are the scenarios that README.md shows.
var recorded = []string{"without-startgate", "with-startgate"}

// told has the lines that tell the story. The others repeat it, or have what differs
// between machines.
var told = regexp.MustCompile(`^\[event\] \S+ (Started: container (app|istio-proxy)|BackOff: |Ready: )` +
	`|^\[pod/shop/app\] \S+ (the application |Redis|PostgreSQL: |time=.*msg="(waiting for|starting) )` +
	`|^\[pod/shop/istio-proxy\] \S+ (warn|info) Envoy|^\[client\]`)

// abridge leaves out what repeats the story: of the agent's answers it keeps the first of
// each kind.
func abridge(log string) string {
	var kept strings.Builder
	before := ""
	for line := range strings.Lines(log) {
		envoy := regexp.MustCompile(`Envoy.*ready`).FindString(line)
		if !told.MatchString(line) || envoy != "" && envoy == before {
			continue
		}
		if envoy != "" {
			before = envoy
		}
		kept.WriteString(line)
	}
	return kept.String()
}

// README.md's run is one of today's scenarios, and timeline.svg is drawn from it.
func TestRecord(t *testing.T) {
	if *update {
		record(t)
	}
	want := draw(t, readRecord(t))
	got, err := os.ReadFile(pictureFile)
	if err != nil || string(got) != want {
		t.Errorf("%s is not drawn from README.md's run (%v): go test ./examples/incident -run TestRecord -update", pictureFile, err)
	}
}

// record runs the scenarios, and writes README.md's run and the picture.
func record(t *testing.T) {
	t.Helper()
	needRunSh(t)
	var run strings.Builder
	for _, scenario := range recorded {
		run.WriteString("== " + scenario + "\n" + abridge(runLog(t, scenario)))
	}
	readme := readFile(t, "README.md")
	before, _, _ := strings.Cut(readme, recordBegin)
	_, after, found := strings.Cut(readme, recordEnd)
	if !found {
		t.Fatalf("README.md has no %q", recordEnd)
	}
	writeFile(t, "README.md", before+recordBegin+run.String()+recordEnd+after)
	writeFile(t, pictureFile, draw(t, readRecord(t)))
}

// readRecord returns the recorded log of each scenario.
func readRecord(t testing.TB) map[string]*timeline {
	t.Helper()
	_, run, _ := strings.Cut(readFile(t, "README.md"), recordBegin)
	run, _, found := strings.Cut(run, recordEnd)
	if !found {
		t.Fatalf("README.md has no run between %q and %q", recordBegin, recordEnd)
	}
	logs := map[string]*timeline{}
	for _, part := range strings.Split(run, "== ")[1:] {
		scenario, log, _ := strings.Cut(part, "\n")
		logs[scenario] = &timeline{t, parse(t, log)}
	}
	return logs
}

// checkRecord checks that a real run has the lines of the recorded one. Only the numbers may
// be others.
func checkRecord(l *timeline, scenario string) {
	l.Helper()
	anyNumber := func(line line) string {
		return line.who + " " + regexp.MustCompile(`\d[\w.:/-]*`).ReplaceAllString(line.text, "0")
	}
	written := map[string]bool{}
	for _, line := range l.lines {
		written[anyNumber(line)] = true
	}
	for _, line := range readRecord(l)[scenario].lines {
		if !written[anyNumber(line)] {
			l.Errorf("README.md's run has a line that this one has not: [%s] %s\nRecord another: go test ./examples/incident -run TestRecord -update", line.who, line.text)
		}
	}
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
