//go:build linux

package tests

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// onFullDisk is a command that starts another where the directory after it is a
// volume of this size, with a file of before, and otherwise full.
func onFullDisk(size, dir string) []string {
	return []string{"unshare", "--mount", "sh", "-ec", `
mount -t tmpfs -o size=$0 none "$1"
echo before >"$1/old"
head -c 64M /dev/zero 2>/dev/null >"$1/rest" || true
cd "$1"; shift; exec "$@"`, size, dir}
}

// there lists a directory that a process sees, and reads a file in it.
func there(t *testing.T, pid int, dir, file string) (names []string, text string) {
	t.Helper()
	dir = fmt.Sprintf("/proc/%d/root%s", pid, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, readIfThere(t, filepath.Join(dir, file))
}

func fullMetrics(t *testing.T) {
	need(t, "root", "unshare", "mount")
	for _, mode := range []string{replaces, supervises} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			i := struck(t, []string{mode, "WAIT_FOR=none", "METRICS=" + dir + "/old"}, onFullDisk("64k", dir)...)
			i.out.until(t, "ready,")
			if names, text := there(t, i.pid(), dir, "old"); len(names) != 2 || text != "before\n" {
				t.Errorf("there is %q, and in the older file\n%s", names, text)
			}
			i.starts()
			i.tells(`level=WARN msg="cannot write metrics to ` + dir + "/old: no space left on device")
		})
	}
}

func fullInstall(t *testing.T) {
	need(t, "root", "unshare", "mount")
	dir := t.TempDir()
	after := []string{"sh", "-c", `"$@"; echo "code $?"; cat old; ls -A`, "sh"}
	i := begins(t, nil, append(append(onFullDisk("1m", dir), after...), binary, "--install", dir+"/old")...)
	i.ends(0)
	if out := i.out.String(); out != "code 125\nbefore\nold\nrest\n" {
		t.Errorf("what is left is\n%s", out)
	}
	i.tells("startgate: cannot install " + dir + "/old: no space left on device")
}

func bareRoot(t *testing.T) {
	need(t, "root", "unshare", "mount", "chroot")
	for _, test := range []struct{ name, setUp string }{
		{"nothing but the two programs", ""},
		{"read-only", `mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			inModes(t, []string{replaces, quitsIstio}, func(t *testing.T, mode string) {
				root := t.TempDir()
				copyFile(t, binary, root+"/startgate")
				copyFile(t, faultProgram(t), root+"/app")
				// One is ended while it waits, and the other starts the application.
				never, a := &agent{TB: t, answer: readyFrom(1000)}, &agent{TB: t, answer: readyFrom(5)}
				enter := []string{"unshare", "--mount", "sh", "-ec", test.setUp + "\n" + `exec chroot "$0" "$@"`, root, "/startgate", "--", "/app", "app"}
				never.listen()
				ended := begins(t, []string{mode, "METRICS=/x.prom"}, enter...)
				ended.log.until(t, "status 503")
				ended.yields()
				never.close()
				a.listen()
				i := begins(t, []string{mode, "METRICS=/x.prom", "BACKOFF_MAX=50ms"}, enter...)
				i.out.until(t, "ready,")
				if exe, _ := os.Stat(fmt.Sprintf("/proc/%d/root/proc", i.pid())); exe != nil {
					t.Error("there is a /proc")
				}
				i.starts()
				if readOnly := test.setUp != ""; readOnly != strings.Contains(i.log.String(), "cannot write metrics to /x.prom: read-only file system") {
					t.Errorf("read-only is %t, and the log says otherwise", readOnly)
				}
				if mode == quitsIstio {
					never.wasTold(1)
					a.wasTold(1)
				}
			})
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// readyFrom is an agent's answer that is ready from the n-th on.
func readyFrom(n int64) func(int64, net.Conn) {
	return func(asked int64, conn net.Conn) {
		if asked < n {
			respond(conn, 503)
			return
		}
		respond(conn, 200)
	}
}
