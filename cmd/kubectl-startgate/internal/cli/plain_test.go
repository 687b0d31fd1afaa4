package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// nasty are texts that a terminal would not only show, by their kinds.
var nasty = map[string]string{
	"colours":           "\x1b[31m\x1b[1mERROR\x1b[0m ",
	"cursor and screen": "\x1b[2J\x1b[H\x1b[1A\x1b[2K",
	"title":             "\x1b]0;owned\x07",
	"clipboard":         "\x1b]52;c;cGFzdGU=\x1b\\",
	"C1 controls":       "\u009b31m\u009d0;owned\u009c",
	"control":           "a\tb\rc\bd\x00e\x7ff\x0bg",
	"bidirectional":     "\u202eexe.png\u2066",
	"separators":        "a\u2028b\u2029c\u0085d",
	"not UTF-8":         "half \xe2\x82 of a rune \xff",
	"wide":              strings.Repeat("連接被拒絕", 60),
	"emoji":             strings.Repeat("🚀👩‍🚀", 60),
	"endless":           strings.Repeat("x", 30000),
}

// TestPlain: whatever logs, events and names hold, the output is lines of text, and the verdict is the same.
func TestPlain(t *testing.T) {
	for kind, text := range nasty {
		t.Run(kind, func(t *testing.T) {
			dir := unpackFixture(t, "language-go")
			logOf(t, dir, "web.previous", "2026-11-22T10:41:15.500Z "+text+"redis: dial tcp 10.20.0.2:6379: connect: connection refused"+text+"\n")
			logOf(t, dir, "istio-proxy", "2026-11-22T10:41:16.113Z Envoy proxy is NOT ready: "+text+"\n2026-11-22T10:41:58.620Z Envoy proxy is ready"+text+"\n")
			write(t, filepath.Join(dir, "nothing "+strings.NewReplacer("\x00", "", "\xff", "").Replace(text[:min(len(text), 40)])), "not a log of a container\n")
			for _, output := range []string{"text", "markdown", "json", "yaml"} {
				out, errOut, code := run(t, "diagnose", "--from", dir, "-o", output)
				checkPlain(t, out+errOut)
				if code != CodeProblem || output == "text" && !strings.HasPrefix(out, "startup race: web was refused once before istio-proxy was ready: first at 10:41:15.500") {
					t.Errorf("code %d: %s%s", code, out, errOut)
				}
				if output == "text" && text != nasty["endless"] && !strings.Contains(out, "connection refused") {
					t.Errorf("the error is cut off:\n%s", out)
				}
			}
			_, errOut, code := run(t, "diagnose", "--from", dir, "other"+text)
			checkPlain(t, errOut)
			if code != CodeFailed {
				t.Errorf("code %d", code)
			}
		})
	}
}

// TestPlainStatus has such texts where the kubelet and startgate speak.
func TestPlainStatus(t *testing.T) {
	for _, fixture := range []string{"gated-124", "gated-waiting", "hold-ran-out", "not-injected-refused"} {
		for kind, text := range nasty {
			t.Run(fixture+"/"+kind, func(t *testing.T) {
				server := newAPIServer(t, fixture)
				for key, object := range server.objects {
					if message, ok := object["message"].(string); ok && strings.HasPrefix(key, "events/") {
						object["message"] = message + text + "\nmore"
					}
				}
				for name, log := range server.logs {
					server.logs[name] = strings.NewReplacer("refused", "refused"+text, `hint="`, `hint="`+strings.ToValidUTF8(text, "?")).Replace(log)
				}
				for _, output := range []string{"text", "markdown"} {
					out, errOut, code := server.run(t, "diagnose", "web-7d4b9c-x2x7k", "-o", output)
					checkPlain(t, out+errOut)
					if code != CodeProblem {
						t.Errorf("code %d: %s%s", code, out, errOut)
					}
				}
			})
		}
	}
}

// checkPlain checks that a terminal only shows the text.
func checkPlain(t *testing.T, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("not UTF-8: %q", out)
	}
	for _, r := range out {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			t.Fatalf("%q is printed: %q", r, out)
		}
	}
	for line := range strings.Lines(out) {
		if columns := columnsOf(line); strings.HasPrefix(line, "  10:4") && columns > 240 {
			t.Errorf("%d columns: %s", columns, line)
		}
	}
}

// columnsOf counts the columns of a terminal.
func columnsOf(line string) (n int) {
	for _, r := range line {
		n++
		if width.LookupRune(r).Kind() == width.EastAsianWide {
			n++
		}
	}
	return n
}

func logOf(t *testing.T, dir, container, text string) {
	t.Helper()
	write(t, filepath.Join(dir, "web-7d4b9c-x2x7k."+container+".log"), text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
