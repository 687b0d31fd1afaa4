//go:build linux

package tests

// The PID of a supervised application, and what a PID file of an earlier container names.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// An application that finds a living process by the number in its PID file says that it
// runs already. Beside a supervised one, startgate's threads have such numbers.
func TestPIDOfApplication(t *testing.T) {
	needRoot(t)
	const others = `echo "pid $$"; n=2; while [ $n -lt 16 ]; do [ $n = $$ ] || ! kill -0 $n 2>/dev/null || echo "alive $n"; n=$((n + 1)); done`
	for mode, want := range map[string]bool{modeReplace: false, modeSupervise: true} {
		p := start(t, asPID1(command([]string{"WAIT_FOR=none", mode}, binary, "--", "sh", "-c", others)))
		p.ends(0)
		out := p.out.String()
		if replaced := strings.HasPrefix(out, "pid 1\n"); replaced == want || strings.Contains(out, "alive") != want {
			p.Errorf("%s: the application is PID 1: %t", mode, replaced)
		}
	}
}

// TestREADMEPIDFile runs the line that removes the file before the application starts.
func TestREADMEPIDFile(t *testing.T) {
	const line, name = `rm -f /run/app.pid; exec "$@"`, "/run/app.pid"
	quoted := strings.ReplaceAll(line, `"`, `\"`)
	if !strings.Contains(markdown.Read(t, pid1File), `"`+quoted+`"`) {
		t.Fatalf("%s has no %s", pid1File, quoted)
	}
	file := filepath.Join(t.TempDir(), "app.pid")
	if err := os.WriteFile(file, []byte("7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, superviseCommand("sh", "-c", strings.ReplaceAll(line, name, file), "sh", "sh", "-c", `test ! -e "$1" && echo "pid $$ of $PPID"`, "sh", file))
	p.ends(0)
	if !regexp.MustCompile(`^pid \d+ of \d+\n$`).MatchString(p.out.String()) {
		p.Errorf("the file is there")
	}
}
