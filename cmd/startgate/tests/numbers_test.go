package tests

// The table of examples/numbers, a part of which README.md has. The benchmarks measure it
// and print it, and with -update they write it.

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

const numbersFile = "../../../examples/numbers/README.md"

// readmeRows are what README.md has of the table: its first rows.
var readmeRows = []string{
	"from readiness to the application, after refused connections: median, p99",
	"from readiness to the application, after answers of 503: median, p99",
	"110 pods that wait, refused connections: CPU time of all",
	"110 pods that wait, refused connections: memory of all",
	"added to the start of a program",
	"memory of its own (RssAnon), supervising",
}

// numbersRows are all rows.
var numbersRows = append(slices.Clip(readmeRows),
	"110 pods that wait, refused connections: from readiness to the application: median, p99",
	"110 pods that wait, answers of 503: CPU time of all",
	"110 pods that wait, answers of 503: memory of all",
	"110 pods that wait, answers of 503: from readiness to the application: median, p99",
	"CPU time of a wait of 5 s, refused connections",
	"CPU time of a wait of 5 s, answers of 503",
	"CPU time of a wait of 5 s for `istio`, refused connections",
	"CPU time of a wait of 5 s for `istio`, answers of 503",
	"CPU time of a wait of 5 s, refused connections: times that of a C loop of the same pace, and without the start",
	"requests until ready in 2 to 2.5 s, refused connections",
	"requests until ready in 2 to 2.5 s, answers of 503",
	"from the readiness of `istio`, Envoy listens at that moment: median, p99, most requests",
	"from the readiness of `istio`, Envoy listens 20 ms before: median, p99, most requests",
	"from the readiness of `istio`, Envoy listens 200 ms before: median, p99, most requests",
	"added to the start of a program, when the sidecar is ready",
	"added to the start of a program, supervising",
	"page faults added to the start of a program",
	"orphans reaped a second",
	"to hand on a signal, median",
)

// numbersColumns are the wrappers by their names: startgate, and those of -beside.
var numbersColumns = []string{"startgate", "loop", "dockerize", "wait4x", "wait-for-it", "wait-on", "tini", "dumb-init"}

// cells are those of the table, by row and column.
type cells map[[2]string]string

// measured are the cells that the benchmarks have measured.
var measured = cells{}

// measuredInit is the table of the packages that take time before main begins.
var measuredInit [][]string

// cell writes what was measured into the table. A benchmark that runs again replaces it.
func cell(b *testing.B, row, column, format string, args ...any) {
	b.Helper()
	if !slices.Contains(numbersRows, row) {
		b.Fatalf("the table has no row %q", row)
	}
	measured[[2]string{row, column}] = fmt.Sprintf(format, args...)
}

// table returns the rows with their cells in these columns, and its head.
func (c cells) table(rows, columns []string) [][]string {
	table := [][]string{append([]string{""}, columns...)}
	for _, name := range rows {
		row := []string{name}
		for _, column := range columns {
			row = append(row, c[[2]string{name, column}])
		}
		table = append(table, row)
	}
	return table
}

// has reports whether there is a cell of this row and column. An empty name is any.
func (c cells) has(row, column string) bool {
	for key, text := range c {
		if text != "" && (row == "" || row == key[0]) && (column == "" || column == key[1]) {
			return true
		}
	}
	return false
}

// missing returns the rows without startgate, and the columns without anything.
func (c cells) missing() (names []string) {
	for _, row := range numbersRows {
		if !c.has(row, numbersColumns[0]) {
			names = append(names, row)
		}
	}
	for _, column := range numbersColumns {
		if !c.has("", column) {
			names = append(names, column)
		}
	}
	return names
}

// publish prints what was measured. With -update it also writes that into the pages, if one
// run has measured all of it.
func (c cells) publish() error {
	if measuredInit != nil {
		fmt.Printf("\n%s", markdown.Table(measuredInit))
	}
	if len(c) == 0 {
		return nil
	}
	rows := slices.DeleteFunc(slices.Clone(numbersRows), func(row string) bool { return !c.has(row, "") })
	columns := slices.DeleteFunc(slices.Clone(numbersColumns), func(column string) bool { return !c.has("", column) })
	var more []string // of -wrapper
	for key := range c {
		if !slices.Contains(slices.Concat(columns, more), key[1]) {
			more = append(more, key[1])
		}
	}
	slices.Sort(more)
	columns = append(columns, more...)
	fmt.Printf("\n%s", markdown.Table(c.table(rows, columns)))
	if !markdown.Updating() {
		return nil
	}
	if missing := c.missing(); len(missing) > 0 || measuredInit == nil {
		return fmt.Errorf("the pages stay as they are. Not measured: %q", missing)
	}
	return errors.Join(
		markdown.WriteTable(numbersFile, "numbers", c.table(numbersRows, numbersColumns)),
		markdown.WriteTable(numbersFile, "init", measuredInit),
		markdown.WriteTable(readmeFile, "numbers", c.table(readmeRows, numbersColumns)),
	)
}

// The pages have the rows and columns that the benchmarks print, and README.md the cells of
// examples/numbers.
func TestREADMENumbers(t *testing.T) {
	found := cells{}
	table := markdown.ReadTable(t, numbersFile, "numbers")
	for _, row := range table[1:] {
		for i, text := range row[1:] {
			found[[2]string{row[0], table[0][1+i]}] = text
		}
	}
	if missing := found.missing(); len(missing) > 0 {
		t.Fatalf("%s has no numbers of %q", numbersFile, missing)
	}
	markdown.CheckTable(t, numbersFile, "numbers", found.table(numbersRows, numbersColumns))
	markdown.CheckTable(t, readmeFile, "numbers", found.table(readmeRows, numbersColumns))
}
