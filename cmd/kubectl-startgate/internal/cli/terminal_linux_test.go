package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// TestColours: a terminal gets them, unless its user does not want them. A pipe gets none.
func TestColours(t *testing.T) {
	const red = "\x1b[31;1mstartup race\x1b[0m: web"
	for _, test := range []struct {
		name, noColor, term string
		isPipe, want        bool
	}{
		{"a terminal", "", "xterm-256color", false, true},
		{"a terminal without a name", "", "", false, true},
		{"a pipe", "", "xterm-256color", true, false},
		{"NO_COLOR", "1", "xterm-256color", false, false},
		{"a dumb terminal", "", "dumb", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", test.noColor)
			t.Setenv("TERM", test.term)
			open := openTerminal
			if test.isPipe {
				open = openPipe
			}
			r, w := open(t)
			dir := unpackFixture(t, "language-go")
			out := outputOf(t, r, w, func() {
				Run(t.Context(), []string{"diagnose", "--from", dir}, genericiooptions.IOStreams{Out: w, ErrOut: w})
			})
			if got := strings.HasPrefix(out, red); got != test.want {
				t.Errorf("colours: %t\n%q", got, out)
			}
			if !test.want && strings.Contains(out, "\x1b") {
				t.Errorf("%q", out)
			}
		})
	}
}

// TestProgress: a terminal sees how far a scan is, and in the end only the rows. A pipe sees nothing of it.
func TestProgress(t *testing.T) {
	server := newAPIServer(t, "startup-race")
	for name, open := range map[string]func(*testing.T) (*os.File, *os.File){"terminal": openTerminal, "pipe": openPipe} {
		r, w := open(t)
		var rows strings.Builder
		out := outputOf(t, r, w, func() {
			Run(t.Context(), []string{"scan", "--logs", "--server", server.URL, "-n", "shop"}, genericiooptions.IOStreams{Out: &rows, ErrOut: w})
		})
		want := ""
		if name == "terminal" {
			want = "\r\x1b[Kpods: 1\r\x1b[Klogs: 1 of 1\r\x1b[K"
		}
		if out != want || !strings.HasPrefix(rows.String(), "NAMESPACE") {
			t.Errorf("%s: %q, want %q\n%s", name, out, want, rows.String())
		}
	}
}

// outputOf returns what is written while do runs.
func outputOf(t *testing.T, r, w *os.File, do func()) string {
	t.Helper()
	do()
	if _, err := fmt.Fprint(w, "\x04"); err != nil { // a sign of the end: a terminal has none of its own
		t.Fatal(err)
	}
	var out strings.Builder
	for buffer := make([]byte, 4096); ; {
		n, err := r.Read(buffer)
		out.Write(buffer[:n])
		if text, ok := strings.CutSuffix(out.String(), "\x04"); ok {
			return text
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func openPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// openTerminal opens a terminal: what is written to tty is read from master.
func openTerminal(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return master, tty
}
