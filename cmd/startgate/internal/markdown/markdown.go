// Package markdown lets tests hold the tables and examples of a Markdown page to the
// code.
package markdown

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated tables of README.md")

// Read returns the text of a page.
func Read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// CheckTable fails the test when the table between <!-- name --> and <!-- /name -->
// differs from rows, the first of which is its head. With the flag -update it writes
// the table there instead.
func CheckTable(t testing.TB, file, name string, rows [][]string) {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n\n", "\n<!-- /"+name+" -->\n"
	want := table(rows)
	before, rest, found := strings.Cut(Read(t, file), begin)
	got, after, closed := strings.Cut(rest, end)
	switch {
	case !found || !closed:
		t.Errorf("%s has no %s%s", file, begin, end)
	case got == want:
	case !*update:
		t.Errorf("the table of %s in %s differs from the code; -update writes it. It should be\n%s", name, file, want)
	default:
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// table writes rows as a table.
func table(rows [][]string) string {
	var text strings.Builder
	for i, row := range rows {
		for _, cell := range row {
			text.WriteString("| ")
			if cell != "" {
				text.WriteString(strings.ReplaceAll(cell, "|", `\|`) + " ")
			}
		}
		text.WriteString("|\n")
		if i == 0 {
			text.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
		}
	}
	return text.String()
}

// Code writes a cell in the type of code; an empty one stays empty.
func Code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// Blocks returns the fenced blocks of a language, without their indentation. A page
// without one fails the test.
func Blocks(t testing.TB, file, language string) []string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^( *)```" + language + "\n(.*?)^ *```$")
	var found []string
	for _, match := range fence.FindAllStringSubmatch(Read(t, file), -1) {
		found = append(found, regexp.MustCompile("(?m)^"+match[1]).ReplaceAllString(match[2], ""))
	}
	if len(found) == 0 {
		t.Fatalf("%s has no block of %s", file, language)
	}
	return found
}
