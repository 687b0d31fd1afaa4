package tests

// That the README's examples, patterns and settings are true of the binary.

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// The pages that these tests hold to the binary.
const (
	readmeFile    = "../../../README.md"
	faultsFile    = "../../../examples/faults/README.md"
	libraryFile   = "../../../examples/library/README.md"
	migratingFile = "../../../examples/migrating/README.md"
	pid1File      = "../../../examples/pid1/README.md"
	recipesFile   = "../../../examples/recipes/README.md"
)

// logOf is all that startgate writes with an argument and these settings.
func logOf(t *testing.T, argument string, settings ...string) string {
	t.Helper()
	p := runToEnd(t, command(settings, binary, argument))
	return p.out.String() + p.log.String()
}

// TestREADMEManifests finds a tab, which YAML does not allow. More would need a
// parser, and no dependency of this module has one.
func TestREADMEManifests(t *testing.T) {
	for _, page := range markdown.Pages(t, "../../..") {
		for _, block := range markdown.FindBlocks(t, page, "yaml") {
			if strings.Contains(block, "\t") {
				t.Errorf("%s: a tab in\n%s", page, block)
			}
		}
	}
}

// TestREADMECode finds an example that does not compile.
func TestREADMECode(t *testing.T) {
	t.Parallel()
	for _, block := range markdown.Blocks(t, libraryFile, "go") {
		file := filepath.Join(t.TempDir(), "example.go")
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("go vet: %v: %s", err, out)
		}
	}
}

// TestREADMELogLine compares the example of the hand-over with the real line: its keys
// in their order, and the form of its values.
func TestREADMELogLine(t *testing.T) {
	t.Parallel()
	example := strings.TrimSpace(markdown.Blocks(t, readmeFile, "json")[0])
	log := logOf(t, "true", "LOG_FORMAT=json", "WAIT_FOR="+startReady(t, "").url())
	lines := strings.Split(strings.TrimSpace(log), "\n")
	// What the real wait has nothing of is not in its line.
	example = regexp.MustCompile(`"(not_ready|refused)":\d+,`).ReplaceAllString(example, "")
	form := func(line string) string {
		line = regexp.MustCompile(`"time":"[^"]+"`).ReplaceAllString(line, `"time":""`)
		line = regexp.MustCompile(`:[0-9.]+`).ReplaceAllString(line, ":0")
		return regexp.MustCompile(`starting \S+?"`).ReplaceAllString(line, `starting"`)
	}
	if got := lines[len(lines)-1]; form(got) != form(example) {
		t.Errorf("the line is\n%s\nand README.md has\n%s", got, example)
	}
}

// TestREADMEFilter finds a line of startgate's own that the README's filter takes for
// the application's.
func TestREADMEFilter(t *testing.T) {
	t.Parallel()
	log := logOf(t, "true", "WAIT_FOR=tcp://127.0.0.1:1", "QUIT=http://127.0.0.1:1/quit", "TIMEOUT=3s", "QUIT_TIMEOUT=100ms") +
		logOf(t, "true", "WAIT_FOR=tcp://127.0.0.1:1", "TIMEOUT=100ms", "ON_TIMEOUT=start")
	const own = "connection refused"
	if strings.Count(log, own) < 6 {
		t.Errorf("the log has too few lines of %s to show anything:\n%s", own, log)
	}
	for text, want := range map[string]int{log: 0, log + "dial tcp 10.0.0.1:6379: connect: connection refused\n": 1} {
		if found := filterByREADME(t, "app", text); strings.Count(found, "\n") != want {
			t.Errorf("the filter finds\n%s", found)
		}
	}
}

// Whether or not somebody has asked Istio's agent before, the filter finds when the proxy became
// ready.
func TestREADMEFilterOfTheProxy(t *testing.T) {
	t.Parallel()
	const (
		others   = "2026-11-25T16:14:23Z info xdsproxy connected to upstream XDS server\n"
		notReady = "2026-11-25T16:14:24Z warn Envoy proxy is NOT ready: config not received from XDS server\n"
		ready    = "2026-11-25T16:14:26Z info Envoy proxy is ready\n"
	)
	for log, want := range map[string]string{others + ready + others: ready, others + notReady + ready: notReady + ready} {
		if found := filterByREADME(t, "istio-proxy", log); found != want {
			t.Errorf("the filter finds\n%s", found)
		}
	}
}

// filterByREADME returns what the README's filter finds in the log of a container.
func filterByREADME(t *testing.T, container, log string) string {
	t.Helper()
	need(t, "grep", "sh")
	_, filter, found := strings.Cut(markdown.Read(t, readmeFile), "kubectl logs POD -c "+container+" --timestamps | ")
	filter, _, _ = strings.Cut(filter, "\n")
	if !found {
		t.Fatalf("README.md has no filter of the log of %s", container)
	}
	cmd := exec.Command("sh", "-c", filter)
	cmd.Stdin = strings.NewReader(log)
	out, _ := cmd.Output()
	return string(out)
}

// TestREADMEAssignments finds a value of a setting on any page that startgate does not
// accept.
func TestREADMEAssignments(t *testing.T) {
	t.Parallel()
	assignment := regexp.MustCompile("`STARTGATE_([A-Z_]+=[^`]+)`|STARTGATE_([A-Z_]+)(?:, value)?: \"?([^\"}\\s]+)")
	total := 0
	for _, page := range markdown.Pages(t, "../../..") {
		found := assignment.FindAllStringSubmatch(markdown.Read(t, page), -1)
		if page == filepath.Clean(migratingFile) && len(found) < 10 {
			t.Errorf("%s has only %q", page, found)
		}
		for _, match := range found {
			setting := match[1]
			if setting == "" {
				setting = match[2] + "=" + strings.ReplaceAll(match[3], "$(TOKEN)", "token")
			}
			total++
			p := runToEnd(t, command([]string{setting}, binary, "--check"))
			name, _, _ := strings.Cut(setting, "=")
			if p.cmd.ProcessState.ExitCode() != 0 || !regexp.MustCompile(name+` +environment`).MatchString(p.out.String()) {
				p.Errorf("%s: STARTGATE_%s", page, setting)
			}
		}
	}
	if total < 40 {
		t.Errorf("the pages have only %d", total)
	}
}

// TestREADMELogPatterns finds a filter for Cloud Logging or Loki that no real line has, and
// that of who gave up in a line of who was ended.
func TestREADMELogPatterns(t *testing.T) {
	t.Parallel()
	settings := []string{
		"LOG_FORMAT=json", "WAIT_FOR=tcp://127.0.0.1:1", "QUIT=http://127.0.0.1:1/quit", "TIMEOUT=3s", "QUIT_TIMEOUT=100ms",
	}
	gaveUp := logOf(t, "true", settings...)
	started := logOf(t, "true", append(settings, "ON_TIMEOUT=start")...)
	p := startGate(t, append(settings, "TIMEOUT=0"), "true")
	p.untilLog("is not ready yet")
	p.send(syscall.SIGTERM)
	p.end()
	ended := p.log.String()
	filters := logFilters(markdown.Read(t, readmeFile))
	if len(filters) < 8 {
		t.Fatalf("README.md has only %q", filters)
	}
	for _, filter := range filters {
		if all := gaveUp + started + ended; len(filter.lines(t, all)) == 0 {
			t.Errorf("no line has %q:\n%s", filter, all)
		}
	}
	isGivenUp := logFilter{{"logger", "=", "startgate"}, {"event", "=", "gave_up"}}
	for log, want := range map[string]bool{gaveUp: true, started: true, ended: false} {
		if found := isGivenUp.lines(t, log); len(found) > 0 != want {
			t.Errorf("who gave up is found: %t in\n%s", !want, log)
		}
	}
}

// logFilter is a filter of lines by their keys.
type logFilter []struct{ key, operator, value string }

// logFilters returns the README's filters by an event, for Cloud Logging and for Loki.
func logFilters(text string) (filters []logFilter) {
	condition := regexp.MustCompile(`([a-z_]+) ?(=~?|>) ?(\("[^)]+\)|"[^"]+"|\d+)`)
	for _, cell := range regexp.MustCompile("`([^`\n]*\\bevent=[^`\n]*)`").FindAllStringSubmatch(text, -1) {
		_, filter, isLoki := strings.Cut(cell[1], "}")
		if !isLoki {
			filter = strings.ReplaceAll(cell[1], "jsonPayload.", "")
		}
		var found logFilter
		for _, match := range condition.FindAllStringSubmatch(strings.ReplaceAll(filter, `\|`, "|"), -1) {
			value := strings.ReplaceAll(strings.Trim(match[3], `"`), `" OR "`, "|")
			if strings.HasPrefix(value, "(") { // one of these
				match[2], value = "=~", strings.ReplaceAll(value, `"`, "")
			}
			found = append(found, struct{ key, operator, value string }{match[1], match[2], value})
		}
		filters = append(filters, found)
	}
	return filters
}

// lines returns the lines of a log in JSON that the filter finds. A number that is compared
// need only be one.
func (f logFilter) lines(t *testing.T, log string) (found []string) {
	t.Helper()
	for line := range strings.Lines(log) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		ok := len(f) >= 2
		for _, condition := range f {
			text, isText := object[condition.key].(string)
			_, isNumber := object[condition.key].(float64)
			switch condition.operator {
			case "=":
				ok = ok && isText && text == condition.value
			case "=~":
				ok = ok && isText && regexp.MustCompile("^("+condition.value+")$").MatchString(text)
			default:
				ok = ok && isNumber
			}
		}
		if ok {
			found = append(found, line)
		}
	}
	return found
}
