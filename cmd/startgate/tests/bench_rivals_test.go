//go:build linux

package tests

// The wrappers that -beside names.

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var besideFlag = flag.String("beside", "", "`LIST` of wrappers to measure beside startgate, comma separated, or all: "+strings.Join(numbersColumns[1:], ","))

// rivalScripts start the wrappers that wait, with the tool's path in TOOL.
var rivalScripts = map[string]string{
	"loop":        `until wget -q -O /dev/null "$URL"; do sleep 1; done; exec "$@"`,
	"dockerize":   `exec "$TOOL" -timeout 1h -wait "$URL" "$@"`,
	"wait4x":      `"$TOOL" http "$URL" --expect-status-code 200 --timeout 1h && exec "$@"`,
	"wait-for-it": `exec "$TOOL" "$HOST:$PORT" --timeout=0 -- "$@"`,
	"wait-on":     `"$TOOL" "http-get://$HOST:$PORT/ready" && exec "$@"`,
}

// besides returns the wrappers that -beside names, and says which this machine cannot have.
func besides(b *testing.B) (wrappers []wrapper) {
	b.Helper()
	names := strings.Split(*besideFlag, ",")
	if *besideFlag == "all" {
		names = numbersColumns[1:]
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		if !slices.Contains(numbersColumns[1:], name) {
			b.Fatalf("-beside: unknown %q", name)
		}
		script := rivalScripts[name]
		w := wrapper{name: name, argv: []string{"sh", "-c", script, name}}
		if name != "loop" {
			tool, err := findRival(name)
			if err != nil {
				fmt.Printf("# %s is left out: %v\n", name, err)
				continue
			}
			w.env = []string{"TOOL=" + tool}
			if script == "" {
				w.argv = []string{tool, "--"}
			}
		}
		wrappers = append(wrappers, w)
	}
	return wrappers
}
