//go:build linux

package tests

// Faults: disks that are full, and roots that are bare.

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
	needRoot(t)
	need(t, "unshare", "mount")
	for _, mode := range []string{modeReplace, modeSupervise} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := startFault(t, []string{mode, "WAIT_FOR=none", "METRICS=" + dir + "/old"}, onFullDisk("64k", dir)...)
			p.untilOut("ready,")
			if names, text := there(t, p.pid(), dir, "old"); len(names) != 2 || text != "before\n" {
				t.Errorf("there is %q, and in the older file\n%s", names, text)
			}
			p.runsOnce()
			p.logHas(`level=WARN msg="cannot write metrics to ` + dir + "/old: no space left on device")
		})
	}
}

func fullInstall(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	dir := t.TempDir()
	after := []string{"sh", "-c", `"$@"; echo "code $?"; cat old; ls -A`, "sh"}
	p := startShown(t, nil, append(append(onFullDisk("1m", dir), after...), binary, "--install", dir+"/old")...)
	p.ends(0)
	if out := p.out.String(); out != "code 125\nbefore\nold\nrest\n" {
		t.Errorf("what is left is\n%s", out)
	}
	p.logHas("cannot install " + dir + "/old: no space left on device")
}

func bareRoot(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount", "chroot")
	for _, test := range []struct{ name, setUp string }{
		{"nothing but the two programs", ""},
		{"read-only", `mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			inModes(t, []string{modeReplace, modeQuit}, func(t *testing.T, mode string) {
				root := t.TempDir()
				copyFile(t, binary, root+"/startgate")
				copyFile(t, program(t, "fault"), root+"/app")
				needStatic(t, root+"/app")
				// One is ended while it waits, and the other starts the application.
				never, a := newSidecar(t, agentAddr), newSidecar(t, agentAddr)
				a.answer = readyFrom(5)
				enter := []string{"unshare", "--mount", "sh", "-ec", test.setUp + "\n" + `exec chroot "$0" "$@"`, root, "/startgate", "--", "/app", "app"}
				never.listen()
				ended := startShown(t, []string{mode, "METRICS=/x.prom"}, enter...)
				ended.untilLog("status 503")
				ended.stopsWaiting()
				never.refuse()
				a.listen()
				p := startShown(t, []string{mode, "METRICS=/x.prom", "BACKOFF_MAX=50ms"}, enter...)
				p.untilOut("ready,")
				if exe, _ := os.Stat(fmt.Sprintf("/proc/%d/root/proc", p.pid())); exe != nil {
					t.Error("there is a /proc")
				}
				p.runsOnce()
				if readOnly := test.setUp != ""; readOnly != strings.Contains(p.log.String(), "cannot write metrics to /x.prom: read-only file system") {
					t.Errorf("read-only is %t, and the log says otherwise", readOnly)
				}
				if mode == modeQuit {
					never.checkQuits(1)
					a.checkQuits(1)
				}
			})
		})
	}
}

// copyFile makes an executable copy of a program. No process may be started meanwhile:
// it would have the file open for writing until it calls execve, and until then the
// kernel does not execute it.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// needStatic skips a test where a C program has to load a library.
func needStatic(t *testing.T, path string) {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		skip(t, "needs a static C library")
	}
}
