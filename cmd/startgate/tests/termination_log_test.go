package tests

// The container's termination message, and the fault that it cannot be written.

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inContainer runs a shell script with startgate as $1 where /dev is a
// container's: it has /dev/termination-log.
const inContainer = `
dev=$(mktemp -d)
mount -t tmpfs none "$dev"
cp -a /dev/null "$dev"
touch "$dev/termination-log"
mount --move "$dev" /dev
rmdir "$dev"
`

func TestTerminationLog(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "unshare", "mount")
	const writes = `sh -c 'echo the application wrote this >/dev/termination-log; `
	for _, test := range []struct{ name, run, want string }{
		{
			"wait failed", `STARTGATE_WAIT_FOR=file:///missing STARTGATE_TIMEOUT=50ms "$1" -- true`,
			"startgate: cannot start true: file:///missing not ready after ",
		},
		{"settings", `STARTGATE_TIMEOUT=5 "$1" -- true`, `startgate: STARTGATE_TIMEOUT="5": missing unit, write 5s`},
		{"not found", `STARTGATE_WAIT_FOR=none "$1" -- ./missing`, "startgate: cannot run ./missing: no such file or directory"},
		{
			"a signal", `STARTGATE_WAIT_FOR=file:///missing "$1" -- true 2>/dev/log & until grep -q "not ready yet" /dev/log; do :; done; kill -TERM $!; wait $!`,
			"startgate: cannot start true: ended by SIGTERM while file:///missing was not ready after ",
		},
		{"the application's own end", `STARTGATE_WAIT_FOR=none "$1" -- ` + writes + `exit 1'`, "the application wrote this"},
		{"the same, supervised", `STARTGATE_WAIT_FOR=none STARTGATE_SUPERVISE=true "$1" -- ` + writes + `exit 1'`, "the application wrote this"},
		{
			"the application's own end after startgate --wait, which once wrote over it",
			`STARTGATE_WAIT_FOR=none "$1" -- ` + writes + `STARTGATE_WAIT_FOR=file:///missing STARTGATE_TIMEOUT=50ms '"$1"' --wait'`,
			"the application wrote this",
		},
	} {
		script := inContainer + test.run + "\ncat /dev/termination-log"
		p := start(t, command(nil, "unshare", "--mount", "sh", "-c", script, "sh", binary))
		p.ends(0)
		out := p.out.String()
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if !strings.HasPrefix(out, test.want) || strings.HasPrefix(out, "startgate: ") != isAddress(lines[len(lines)-1]) || len(lines) > 3 {
			p.Errorf("%s: the termination message is %q, want %q, a hint if there is one, and the address of a section", test.name, out, test.want)
		}
	}
}

// isAddress reports whether text is the address of a section of README.md.
func isAddress(text string) bool {
	return strings.HasPrefix(text, "https://github.com/startgate/startgate#")
}

// The hint and its address are lines of their own.
func TestTerminationLogHasTheHint(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "unshare", "mount")
	script := inContainer + `STARTGATE_WAIT_FOR=file:///missing STARTGATE_TIMEOUT=3s "$1" -- true` + "\ncat /dev/termination-log"
	p := start(t, command(nil, "unshare", "--mount", "sh", "-c", script, "sh", binary))
	p.ends(0)
	p.outHas("it does not exist\nWhat writes this file has not done so: ")
	p.outHas("containers?\nhttps://github.com/startgate/startgate#the-file-does-not-appear\n")
}

// brokenTerminationLog is no file, or full. Opening a FIFO that nobody reads once took for
// ever, after TERM too.
func brokenTerminationLog(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount", "mkfifo")
	const file = `"$dev/termination-log"`
	for name, makes := range map[string]string{
		"a FIFO that nobody reads": "mkfifo " + file,
		"a directory":              "mkdir " + file,
		"a full disk":              "cp -a /dev/full " + file,
		"nothing":                  "true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := strings.Replace(inContainer, "touch "+file, makes, 1) + `exec "$@"`
			if !strings.Contains(script, makes) {
				t.Fatal("the script makes another")
			}
			for _, test := range []struct {
				wait, program string
				code          int
			}{
				{"file:///missing", "true", codeTimeout},
				{"none", "./missing", 127},
				{"wrong", "true", codeFailed},
			} {
				p := start(t, command([]string{"TIMEOUT=50ms", "WAIT_FOR=" + test.wait}, "unshare", "--mount", "sh", "-c", script, "sh", binary, "--", test.program))
				p.endsSoon(test.code)
			}
			p := start(t, command([]string{"WAIT_FOR=file:///missing"}, "unshare", "--mount", "sh", "-c", script, "sh", binary, "--", "true"))
			p.untilLog("is not ready yet")
			p.began = time.Now()
			p.send(unix.SIGTERM)
			p.endsSoon(128 + int(unix.SIGTERM))
		})
	}
}

// endsSoon checks the exit code, and that it did not take long.
func (p *process) endsSoon(want int) {
	p.Helper()
	p.ends(want)
	if took := time.Since(p.began); took > soon {
		p.Errorf("it took %v", took)
	}
}
