//go:build linux

package tests

// Benchmarks: what startgate adds to the start of a program.

import (
	"cmp"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// BenchmarkStartup reports how long it takes until true(1) has ended, started alone
// and, in turn, through a wrapper, beside a sidecar that is ready, and how many page faults
// that are.
func BenchmarkStartup(b *testing.B) {
	need(b, "true")
	program, err := exec.LookPath("true")
	if err != nil {
		b.Fatal(err)
	}
	nothing := wrapper{argv: []string{program}}
	beside(
		b, func(b *testing.B, w wrapper) {
			sidecar := startReady(b, "")
			run := func(w wrapper, app ...string) (took time.Duration, faults int64) {
				cmd := w.command(sidecar, app...)
				began := time.Now()
				if err := cmd.Run(); err != nil {
					w.cannot(b, err.Error())
				}
				took = time.Since(began)
				usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
				return took, usage.Minflt + usage.Majflt
			}
			var alone, through []time.Duration
			var faults int64
			for b.Loop() {
				took, least := run(nothing)
				alone = append(alone, took)
				took, all := run(w, program)
				through = append(through, took)
				faults += all - least
			}
			reportTimes(b, through, time.Millisecond, "ms")
			added := milliseconds(percentile(through, 50) - percentile(alone, 50))
			b.ReportMetric(added, "added_ms")
			addedFaults := float64(faults) / float64(len(through))
			b.ReportMetric(addedFaults, "added_faults")
			b.ReportMetric(0, "ns/op") // is the sum of both
			const row = "added to the start of a program"
			switch w.name {
			case "startgate-supervise":
				w.cell(b, row+", supervising", "%.1f ms", added)
			case "startgate-ready":
				w.cell(b, row+", when the sidecar is ready", "%.1f ms", added)
			default:
				w.cell(b, row, "%.1f ms", added)
				w.cell(b, "page faults "+row, "%.0f", addedFaults)
			}
		},
		gateWith("startgate", "WAIT_FOR=none"),
		gateWith("startgate-supervise", "WAIT_FOR=none", "SUPERVISE=true"),
		gateWith("startgate-ready", "WAIT_FOR={url}"), // asks once
	)
}

// BenchmarkInit reports how long the packages take before main begins, and makes a table
// of those that take longest.
func BenchmarkInit(b *testing.B) {
	need(b, "true")
	times, bytes := map[string][]time.Duration{}, map[string]string{}
	for b.Loop() {
		for _, p := range inits(b) {
			times[p.name] = append(times[p.name], p.took)
			bytes[p.name] = p.bytes
		}
	}
	names := slices.SortedFunc(maps.Keys(times), func(a, b string) int {
		return cmp.Compare(percentile(times[b], 50), percentile(times[a], 50))
	})
	var sum time.Duration
	for _, name := range names {
		sum += percentile(times[name], 50)
	}
	b.ReportMetric(milliseconds(sum), "init_ms")
	b.ReportMetric(0, "ns/op") // is a whole start
	measuredInit = [][]string{{"package", "init", "allocates"}}
	for _, name := range names[:8] {
		measuredInit = append(measuredInit, []string{"`" + name + "`", fmt.Sprintf("%.3f ms", milliseconds(percentile(times[name], 50))), bytes[name] + " bytes"})
	}
	measuredInit = append(measuredInit, []string{fmt.Sprintf("all %d", len(names)), fmt.Sprintf("%.3f ms", milliseconds(sum)), ""})
}

// The page names packages that startgate has.
func TestREADMEInit(t *testing.T) {
	var names []string
	for _, p := range inits(t) {
		names = append(names, "`"+p.name+"`")
	}
	table := markdown.ReadTable(t, numbersFile, "init")
	for _, row := range table[1 : len(table)-1] { // the last is all together
		if !slices.Contains(names, row[0]) {
			t.Errorf("%s has %s, which startgate does not initialise", numbersFile, row[0])
		}
	}
}

// packageInit is one line of GODEBUG=inittrace=1.
type packageInit struct {
	name  string
	took  time.Duration
	bytes string
}

// inits returns how long the packages of startgate take before main begins.
func inits(t testing.TB) (all []packageInit) {
	t.Helper()
	cmd := command([]string{"WAIT_FOR=none"}, binary, "--", "true")
	cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
	p := runToEnd(t, cmd)
	for _, match := range regexp.MustCompile(`(?m)^init (\S+) @.* ms, (\S+) ms clock, (\d+) bytes`).FindAllStringSubmatch(p.log.String(), -1) {
		took, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, packageInit{match[1], time.Duration(took * float64(time.Millisecond)), match[3]})
	}
	if len(all) == 0 {
		p.Fatalf("no package says how long it takes")
	}
	return all
}
