//go:build linux

package tests

// The wrappers that -beside names.

import (
	"flag"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var besideFlag = flag.String("beside", "", "`LIST` of wrappers to measure beside startgate, comma separated, or all: "+strings.Join(rivalNames, ","))

var rivalNames = []string{"loop", "dockerize", "wait4x", "wait-for-it", "tini", "dumb-init"}

// rivalScripts start the wrappers that wait, with the tool's path in TOOL.
var rivalScripts = map[string]string{
	"loop":        `until wget -q -O /dev/null "$URL"; do sleep 1; done; exec "$@"`,
	"dockerize":   `exec "$TOOL" -timeout 1h -wait "$URL" "$@"`,
	"wait4x":      `"$TOOL" http "$URL" --expect-status-code 200 --timeout 1h && exec "$@"`,
	"wait-for-it": `exec "$TOOL" "$HOST:$PORT" --timeout=0 -- "$@"`,
}

// besides returns the wrappers that -beside names.
func besides(b *testing.B) (wrappers []wrapper) {
	b.Helper()
	names := strings.Split(*besideFlag, ",")
	if *besideFlag == "all" {
		names = rivalNames
	}
	for _, name := range names {
		switch script := rivalScripts[name]; {
		case name == "":
		case name == "loop":
			wrappers = append(wrappers, wrapper{name: name, argv: []string{"sh", "-c", script, name}})
		case script != "":
			wrappers = append(wrappers, wrapper{name: name, env: []string{"TOOL=" + rival(b, name)}, argv: []string{"sh", "-c", script, name}})
		case slices.Contains(rivalNames, name):
			if _, err := exec.LookPath(name); err != nil {
				fmt.Printf("# %s is left out: %v\n", name, err)
				continue
			}
			wrappers = append(wrappers, wrapper{name: name, argv: []string{name, "--"}})
		default:
			b.Fatalf("-beside: unknown %q", name)
		}
	}
	return wrappers
}
