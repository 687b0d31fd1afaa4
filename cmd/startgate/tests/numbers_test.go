package tests

// The table of examples/numbers, as the benchmarks print it.

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// numbersTable is the table that the benchmarks have measured, by row and wrapper.
type numbersTable struct {
	rows, wrappers []string // in the order in which they came
	cells          map[[2]string]string
}

var measured = numbersTable{cells: map[[2]string]string{}}

// cell writes what was measured into the table. A benchmark that runs again replaces it.
func cell(row, wrapper, format string, args ...any) {
	if !slices.Contains(measured.rows, row) {
		measured.rows = append(measured.rows, row)
	}
	if !slices.Contains(measured.wrappers, wrapper) {
		measured.wrappers = append(measured.wrappers, wrapper)
	}
	measured.cells[[2]string{row, wrapper}] = fmt.Sprintf(format, args...)
}

// print prints the table as Markdown, if there is one.
func (n *numbersTable) print() {
	if len(n.rows) == 0 {
		return
	}
	fmt.Fprintf(os.Stdout, "\n| | %s |\n|%s\n", strings.Join(n.wrappers, " | "), strings.Repeat(" --- |", 1+len(n.wrappers)))
	for _, row := range n.rows {
		fmt.Fprintf(os.Stdout, "| %s |", row)
		for _, name := range n.wrappers {
			fmt.Fprintf(os.Stdout, " %s |", n.cells[[2]string{row, name}])
		}
		fmt.Fprintln(os.Stdout)
	}
}
