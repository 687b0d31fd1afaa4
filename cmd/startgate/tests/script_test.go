package tests

// What a user sees at the command line, in testdata/script/*.txtar.

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs the real binary from outside, as testdata/script/*.txtar say.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("STARTGATE_WAIT_FOR", "none")
			env.Values[theTest{}] = env.T()
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"serve": serve,
		},
	})
}

// theTest is the key of a script's test among its values.
type theTest struct{}

// exits CODE COMMAND... runs a command, whose exit code must be that one.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code is %d, want %d", got, want)
	}
}

// serve VARIABLE STATUS... starts a server that answers with these statuses, one
// after the other and the last one for ever, and puts its URL into a variable.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: serve VARIABLE STATUS...")
	}
	codes := make([]int, len(args)-1)
	for i := range codes {
		code, err := strconv.Atoi(args[1+i])
		ts.Check(err)
		codes[i] = code
	}
	s := newSidecar(ts.Value(theTest{}).(testing.TB), "")
	s.answer = statuses(codes...)
	s.listen()
	ts.Setenv(args[0], s.url())
}
