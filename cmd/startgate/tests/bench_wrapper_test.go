//go:build linux

package tests

// The benchmarks measure the real binary, and beside it whatever other programs are
// put before an application:
//
//	cat >loop.sh <<'EOF'
//	#!/bin/sh
//	until wget -q -O /dev/null "$URL"; do sleep 1; done
//	exec "$@"
//	EOF
//	chmod +x loop.sh
//	go test ./cmd/startgate/tests -run '^$' -bench . -wrapper loop="$PWD/loop.sh" -wrapper tini=/usr/bin/tini
//
// -wrapper takes a name and an executable file, usually a short script. It is started
// with the application and its arguments as its own. Its environment has where the
// sidecar of the benchmark listens, in URL, HOST and PORT; the sidecar has the same
// answer for every path. The file's path is absolute, or relative to this folder.
//
// -beside takes the names of wrappers that these tests know, or all: dockerize and wait4x
// are built from testdata/rivals, wait-on is npm's. At the end there is the table of
// examples/numbers; with -update it is written there, and into README.md.
//
// What a wrapper does not do is not measured, and a line says why.

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wrapper is what stands before the application.
type wrapper struct {
	name      string
	env, argv []string
	ours      bool // it is startgate: what it does not do is a failure
}

// others are the wrappers to measure beside startgate.
var others = wrapperFlag()

func wrapperFlag() *[]wrapper {
	list := new([]wrapper)
	flag.Func("wrapper", "`NAME=FILE` is an executable to measure beside startgate, with URL, HOST, PORT of the sidecar in its environment", func(value string) error {
		name, file, ok := strings.Cut(value, "=")
		if !ok || name == "" {
			return errors.New("write NAME=FILE")
		}
		path, err := filepath.Abs(file)
		if err == nil {
			_, err = exec.LookPath(path)
		}
		*list = append(*list, wrapper{name: name, argv: []string{path}})
		return err
	})
	return list
}

// gateWith returns startgate with these settings, without the prefix. "{url}" is the
// sidecar's.
func gateWith(name string, settings ...string) wrapper {
	return wrapper{name: name, argv: []string{binary, "--"}, env: environ(settings...), ours: true}
}

// beside measures startgate, in each of these forms, and then the others.
func beside(b *testing.B, measure func(*testing.B, wrapper), ours ...wrapper) {
	for _, w := range slices.Concat(ours, *others, besides(b)) {
		b.Run(w.name, func(b *testing.B) { measure(b, w) })
	}
}

// cell writes what was measured of the wrapper into the table.
func (w wrapper) cell(b *testing.B, row, format string, args ...any) {
	b.Helper()
	if w.ours {
		w.name = "startgate"
	}
	cell(b, row, w.name, format, args...)
}

// command returns the wrapper with an application after it, beside this sidecar.
func (w wrapper) command(s *sidecar, app ...string) *exec.Cmd {
	argv := words(w.argv, app)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "STARTGATE_") })
	host, port, _ := net.SplitHostPort(s.addr)
	cmd.Env = append(cmd.Env, "URL="+s.url()+"/ready", "HOST="+host, "PORT="+port)
	for _, entry := range w.env {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(entry, "{url}", s.url()+"/ready"))
	}
	return cmd
}

// cannot ends a benchmark of what the wrapper does not do. The reason of a skipped
// benchmark alone would be shown with -v only.
func (w wrapper) cannot(b *testing.B, why string) {
	b.Helper()
	if w.ours {
		b.Fatal(why)
	}
	fmt.Printf("# %s is skipped: %s\n", b.Name(), strings.TrimSpace(why))
	b.SkipNow()
}
