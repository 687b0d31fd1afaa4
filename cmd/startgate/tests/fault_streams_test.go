//go:build linux

package tests

// Faults: standard streams that are closed, full, or read by nobody.

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The application of brokenStreams writes to a file when it starts.
func brokenStreams(t *testing.T) {
	need(t, "sh")
	for _, test := range []struct {
		name, through string
		out, err      func(testing.TB) *os.File
	}{
		{"input closed", `exec "$@" <&-`, nil, nil},
		{"output closed", `exec "$@" >&-`, nil, nil},
		{"error closed", `exec "$@" 2>&-`, nil, nil},
		{"all closed", `exec "$@" <&- >&- 2>&-`, nil, nil},
		{"output full", `exec "$@"`, fullDevice, nil},
		{"error full", `exec "$@"`, nil, fullDevice},
		{"both full", `exec "$@"`, fullDevice, fullDevice},
		{"nobody reads the output", `exec "$@"`, readerGone, nil},
		{"nobody reads the errors", `exec "$@"`, nil, readerGone},
		{"the errors' pipe is full", `exec "$@"`, nil, fullPipe},
	} {
		for _, mode := range []string{modeReplace, modeSupervise} {
			for _, ready := range []bool{true, false} {
				t.Run(test.name+" "+mode+map[bool]string{true: "", false: " ended"}[ready], func(t *testing.T) {
					t.Parallel()
					file, target := t.TempDir()+"/started", startSidecar(t, "")
					app := `trap 'exit 42' TERM; echo started >>"$0"; while :; do sleep 0.05; done`
					cmd := command(append(target.settings(), mode), "sh", "-c", test.through, "sh", binary, "--", "sh", "-c", app, file)
					if test.out != nil {
						cmd.Stdout = test.out(t)
					}
					if test.err != nil {
						cmd.Stderr = test.err(t)
					}
					p := start(t, cmd)
					target.untilAskedAgain()
					if !ready {
						p.send(unix.SIGTERM)
						p.ends(128 + int(unix.SIGTERM))
						return
					}
					target.getReady(0)
					eventually(t, "the application", func() bool { return readIfThere(t, file) != "" })
					p.send(unix.SIGTERM)
					p.ends(42)
					if text := readIfThere(t, file); text != "started\n" {
						t.Errorf("the application started so often:\n%s", text)
					}
				})
			}
		}
	}
}

func fullDevice(t testing.TB) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// readerGone is a pipe whose read end is closed.
func readerGone(t testing.TB) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}

// fullPipe is a full pipe that nobody reads, with its read end open: a write blocks.
func fullPipe(t testing.TB) *os.File {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	for full := false; !full; {
		_, err := unix.Write(ends[1], make([]byte, 4096))
		full = err == unix.EAGAIN
	}
	if err := unix.SetNonblock(ends[1], false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ends[0]) })
	w := os.NewFile(uintptr(ends[1]), "full pipe")
	t.Cleanup(func() { w.Close() })
	return w
}
