package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/width"
)

// Colors say whether the text output is coloured.
type Colors bool

const (
	red    = "31;1"
	green  = "32;1"
	yellow = "33;1"
	bold   = "1"
	faint  = "2"
)

func (c Colors) paint(color, text string) string {
	if !c {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

var severityColors = map[string]string{"healthy": green, "problem": red, "undecided": yellow}

// Text prints a diagnosis for people.
func Text(w io.Writer, pod Pod, colors Colors) {
	fmt.Fprintf(w, "%s: %s\n", colors.paint(severityColors[pod.Verdict.Severity], title(pod.Verdict)), clip(pod.Verdict.Summary, 2*longest))
	fmt.Fprintf(w, "%s\n", colors.paint(faint, about(pod)))
	evidenceText(w, pod.Verdict, colors)
	cureText(w, pod, colors)
	sureText(w, pod.Verdict, colors)
	for _, also := range pod.Also {
		fmt.Fprintf(w, "\n%s %s: %s\n", colors.paint(bold, "Also"), title(also), clip(also.Summary, 2*longest))
		evidenceText(w, also, colors)
	}
	if len(pod.NotRead) > 0 {
		fmt.Fprintf(w, "\n%s\n", colors.paint(bold, "Not read"))
		for _, gap := range pod.NotRead {
			fmt.Fprintf(w, "  %s\n", clip(gap.String(), 2*longest))
		}
	}
}

// title is a verdict's name for people.
func title(v Verdict) string { return strings.ReplaceAll(string(v.Name), "-", " ") }

// about says which pod it is.
func about(pod Pod) string {
	parts := []string{"pod " + strings.TrimPrefix(pod.Namespace+"/"+pod.Name, "/")}
	if pod.Owner != "" {
		parts = append(parts, pod.Owner)
	}
	for _, s := range pod.Sidecars {
		kind := s.Kind
		if s.Native {
			kind += ", native"
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", s.Container, kind))
	}
	return strings.Join(parts, " · ")
}

func evidenceText(w io.Writer, v Verdict, colors Colors) {
	if len(v.Evidence) == 0 {
		return
	}
	fmt.Fprintln(w)
	width := 0
	for _, e := range v.Evidence {
		width = max(width, len(e.Container))
	}
	for _, e := range ordered(v.Evidence) {
		fmt.Fprintf(w, "  %s  %s  %s\n", colors.paint(faint, clock(e)), colors.paint(bold, fmt.Sprintf("%-*s", width, e.Container)), entryText(e))
	}
}

// ordered returns the entries by their time. Those without one stay where they are, at the end.
func ordered(entries []Entry) []Entry {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int {
		switch {
		case a.Time == nil || b.Time == nil:
			return cmp.Compare(fmt.Sprint(a.Time == nil), fmt.Sprint(b.Time == nil))
		default:
			return a.Time.Compare(*b.Time)
		}
	})
	return slices.CompactFunc(entries, func(a, b Entry) bool {
		return a.Container == b.Container && a.Text == b.Text && a.Time != nil && b.Time != nil && a.Time.Equal(*b.Time)
	})
}

// clip cuts a text that is too long to read. Its length is counted in columns of a terminal, of which a character of
// Chinese, Japanese or Korean takes two.
func clip(text string, length int) string {
	for i, r := range text {
		if length--; width.LookupRune(r).Kind() == width.EastAsianWide {
			length--
		}
		if length < 0 {
			return text[:i] + "…"
		}
	}
	return text
}

// longest is how many columns of a line are shown. It does not depend on the terminal, which breaks what is longer
// than its own line: what is cut off cannot be searched for.
const longest = 160

func entryText(e Entry) string {
	text := clip(cmp.Or(e.Text, string(e.Kind)), longest)
	if e.Previous {
		text += " (the run before)"
	}
	if e.Count > 1 {
		text += fmt.Sprintf(" (%d times)", e.Count)
	}
	return text
}

// clock writes the time of an entry as exactly as it is known.
func clock(e Entry) string {
	switch {
	case e.Time == nil:
		return "            "
	case e.Resolution >= time.Second.Seconds():
		return e.Time.Format("15:04:05") + "    "
	}
	return e.Time.Format("15:04:05.000")
}

func cureText(w io.Writer, pod Pod, colors Colors) {
	if len(pod.Verdict.Cures) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", colors.paint(bold, "What to do, cheapest first"))
	for i, c := range pod.Verdict.Cures {
		fmt.Fprintf(w, "  %d. %s. %s\n", i+1, upperFirst(c.Title), c.Text)
		switch {
		case c.Command != "":
			fmt.Fprintf(w, "     %s\n", c.Command)
		case c.Patch != nil:
			fmt.Fprintf(w, "     %s --cure %s -o patch\n", pod.Again, c.ID)
		}
	}
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func sureText(w io.Writer, v Verdict, colors Colors) {
	if v.Sure {
		fmt.Fprintf(w, "\n%s certain\n", colors.paint(bold, "How sure:"))
		return
	}
	label := "How sure: likely, but"
	if v.Severity == "undecided" {
		label = "What is missing"
	}
	fmt.Fprintf(w, "\n%s\n", colors.paint(bold, label))
	for _, doubt := range v.Doubts {
		fmt.Fprintf(w, "  %s\n", clip(doubt, 2*longest))
	}
}

// Markdown prints a diagnosis for a chat or a post-mortem.
func Markdown(w io.Writer, pod Pod) {
	fmt.Fprintf(w, "**%s**: %s\n\n%s\n", title(pod.Verdict), pod.Verdict.Summary, about(pod))
	if len(pod.Verdict.Evidence) > 0 {
		fmt.Fprintf(w, "\n| time (UTC) | container | |\n| --- | --- | --- |\n")
		for _, e := range ordered(pod.Verdict.Evidence) {
			fmt.Fprintf(w, "| %s | %s | %s |\n", strings.TrimSpace(clock(e)), e.Container, cell(entryText(e)))
		}
	}
	for i, c := range pod.Verdict.Cures {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%d. %s. %s\n", i+1, upperFirst(c.Title), c.Text)
		if c.Command != "" {
			fmt.Fprintf(w, "   ```sh\n   %s\n   ```\n", c.Command)
		}
	}
	for _, doubt := range pod.Verdict.Doubts {
		fmt.Fprintf(w, "\n- Not certain: %s\n", doubt)
	}
	for _, also := range pod.Also {
		fmt.Fprintf(w, "\n- Also %s: %s\n", title(also), also.Summary)
	}
	for _, gap := range pod.NotRead {
		fmt.Fprintf(w, "\n- Not read: %s\n", gap)
	}
}

// cell writes a text that no sign of ends a cell of a table.
func cell(text string) string {
	return "`" + strings.NewReplacer("`", "'", "|", `\|`, "\n", " ").Replace(text) + "`"
}
