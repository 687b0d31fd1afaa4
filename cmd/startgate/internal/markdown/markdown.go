// Package markdown lets tests hold the tables and examples of a Markdown page to the
// code.
package markdown

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// Updating reports whether the tables are to be written: the flag -update.
func Updating() bool { return *update }

// CheckTable fails the test when the table between <!-- name --> and <!-- /name -->
// differs from rows, the first of which is its head. With the flag -update it writes
// the table there instead.
func CheckTable(t testing.TB, file, name string, rows [][]string) {
	t.Helper()
	_, got, _, err := cutTable(file, name)
	want := Table(rows)
	switch {
	case err != nil:
		t.Error(err)
	case got == want:
	case !*update:
		t.Errorf("the table of %s in %s differs from the code; -update writes it. It should be\n%s", name, file, want)
	default:
		if err := WriteTable(file, name, rows); err != nil {
			t.Fatal(err)
		}
	}
}

// WriteTable writes the table between <!-- name --> and <!-- /name -->.
func WriteTable(file, name string, rows [][]string) error {
	before, _, after, err := cutTable(file, name)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(before+Table(rows)+after), 0o644)
}

// ReadTable returns the rows of the table between <!-- name --> and <!-- /name -->, the
// first of which is its head.
func ReadTable(t testing.TB, file, name string) (rows [][]string) {
	t.Helper()
	_, text, _, err := cutTable(file, name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSuffix(line, "|\n"), "|")[1:]
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("the table of %s in %s is empty", name, file)
	}
	return slices.Delete(rows, 1, 2)
}

// cutTable returns the table between <!-- name --> and <!-- /name -->, and the text around it.
func cutTable(file, name string) (before, table, after string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", "", err
	}
	begin, end := "<!-- "+name+" -->\n\n", "\n<!-- /"+name+" -->\n"
	before, rest, found := strings.Cut(string(text), begin)
	table, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", "", "", fmt.Errorf("%s has no %s%s", file, begin, end)
	}
	return before + begin, table, end + after, nil
}

// Table writes rows, the first of which is the head, as a table.
func Table(rows [][]string) string {
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
	found := FindBlocks(t, file, language)
	if len(found) == 0 {
		t.Fatalf("%s has no block of %s", file, language)
	}
	return found
}

// FindBlocks is Blocks for a page that may have none.
func FindBlocks(t testing.TB, file, language string) []string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^( *)```" + language + "\n(.*?)^ *```$")
	var found []string
	for _, match := range fence.FindAllStringSubmatch(Read(t, file), -1) {
		found = append(found, regexp.MustCompile("(?m)^"+match[1]).ReplaceAllString(match[2], ""))
	}
	return found
}

// Section returns what is under a heading, up to the next heading of its level or above.
func Section(t testing.TB, file, heading string) string {
	t.Helper()
	level, _, _ := strings.Cut(heading, " ")
	_, rest, found := strings.Cut(Read(t, file), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no %s", file, heading)
	}
	next := regexp.MustCompile(fmt.Sprintf(`(?m)^#{1,%d} `, len(level))).FindStringIndex(rest)
	if next == nil {
		return rest
	}
	return rest[:next[0]]
}

// Pages returns the files of the project's documentation. root is the repository's.
func Pages(t testing.TB, root string) []string {
	t.Helper()
	var pages []string
	for _, pattern := range []string{"*.md", "examples/README.md", "examples/*/README.md", "cmd/startgate/tests/README.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no %s in %s: %v", pattern, root, err)
		}
		pages = append(pages, found...)
	}
	return pages
}

// prose returns the text of a page without its fenced blocks.
func prose(t testing.TB, file string) string {
	t.Helper()
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(Read(t, file), "")
}

// Links returns where the links and pictures of a page lead, except to other sites.
func Links(t testing.TB, file string) []string {
	t.Helper()
	var links []string
	for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(prose(t, file), -1) {
		if !strings.Contains(match[1], "://") {
			links = append(links, match[1])
		}
	}
	return links
}

// Anchors returns the names of a page's headings, as GitHub makes them.
func Anchors(t testing.TB, file string) []string {
	t.Helper()
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	var anchors []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(prose(t, file), -1) {
		anchor := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-")
		name := anchor
		for n := 1; slices.Contains(anchors, name); n++ {
			name = fmt.Sprintf("%s-%d", anchor, n)
		}
		anchors = append(anchors, name)
	}
	return anchors
}
