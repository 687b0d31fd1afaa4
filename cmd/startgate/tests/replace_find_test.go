//go:build linux

package tests

// R10 and R11: which program is started, and why none is.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// lookup is one way to name a program, and what becomes of it.
type lookup struct {
	name  string
	files []string // what there is, see makeFile
	run   string   // the program's name
	path  string   // PATH; "unset" is none
	as    []string // who runs it
	code  int      // startgate's exit code
	says  string   // what the program says; or a part of startgate's error
	late  bool     // only execve can tell, after the wait
	env   int      // env(1)'s exit code if that is another one, and why
}

// test runs it by startgate, in front of a target that is not ready when it fails,
// and by env(1), which uses execvp.
func (f lookup) test(s *comparison, target *sidecar) {
	s.Run(f.name, func(t *testing.T) {
		if len(f.as) > 0 {
			needRoot(t)
			need(t, f.as[0])
		}
		dir := t.TempDir()
		for d := dir; d != filepath.Dir(s.dir) && len(d) > len(os.TempDir()); d = filepath.Dir(d) {
			_ = os.Chmod(d, 0o755)
		}
		for _, file := range f.files {
			if err := makeFile(dir, file); err != nil {
				t.Fatal(err)
			}
		}
		settings := target.settings()
		if f.code == 0 || f.late || onVolume(t, dir) {
			settings = []string{"WAIT_FOR=none"}
		}
		asked := target.asked.Load()
		p := f.by(t, dir, settings, binary, "--")
		p.ends(f.code)
		if target.asked.Load() != asked {
			p.Errorf("waited before it failed")
		}
		stdout := p.out.String()
		if !strings.Contains(stdout+p.log.String(), f.says) || f.code == 0 && stdout != strings.TrimPrefix(f.says+"\n", "\n") {
			p.Errorf("does not say %q", f.says)
		}
		if f.code != 0 && stdout != "" {
			p.Errorf("failed, and printed %q", stdout)
		}
		peer := f.by(t, dir, nil, "/usr/bin/env", "--")
		want := f.code
		if f.env != 0 {
			want = f.env
		}
		peer.ends(want)
		if want == 0 && stdout != peer.out.String() {
			peer.Errorf("startgate runs it as %q", stdout)
		}
	})
}

// onVolume reports whether dir is on another file system than the root directory, where
// what is missing may still come.
func onVolume(t *testing.T, dir string) bool {
	t.Helper()
	var root, there unix.Stat_t
	if err := errors.Join(unix.Stat("/", &root), unix.Stat(dir, &there)); err != nil {
		t.Fatal(err)
	}
	return root.Dev != there.Dev
}

// by runs the program through another one.
func (f lookup) by(t *testing.T, dir string, settings []string, through ...string) *process {
	t.Helper()
	cmd := command(settings, words(f.as, through, f.run, "x", "y z")...)
	cmd.Dir = dir
	cmd.Env = cmd.Env[1:] // without PATH
	if f.path != "unset" {
		cmd.Env = append(cmd.Env, "PATH="+f.path)
	}
	return start(t, cmd)
}

// R10, R11: each lookup by startgate and by env(1), which uses execvp.
func TestFindsTheProgramAsExecvp(t *testing.T) {
	s, target := newComparison(t), startSidecar(t, "")
	for _, f := range lookups {
		f.test(s, target)
	}
}

var lookups = []lookup{
	{name: "slash", files: []string{"sh a/it"}, run: "./a/it", path: "b", says: "ran ./a/it x y z"},
	{name: "slash is not searched for", files: []string{"sh a/b/it"}, run: "b/it", path: "a", code: 127, says: "cannot run b/it: no such file or directory"},
	{name: "PATH in order", files: []string{"sh a/it", "sh b/it"}, run: "it", path: "b:a", says: "ran b/it x y z"},
	{name: "empty entry first", files: []string{"sh it", "sh b/it"}, run: "it", path: ":b", says: "ran it x y z"},
	{name: "empty entry last", files: []string{"sh it"}, run: "it", path: "b:", says: "ran it x y z"},
	{name: "empty entry between", files: []string{"sh it", "sh b/it"}, run: "it", path: "a::b", says: "ran it x y z"},
	{name: "empty PATH", files: []string{"sh it"}, run: "it", path: "", says: "ran it x y z"},
	{name: "no PATH", run: "echo", path: "unset", says: "x y z"},
	{name: "no PATH, nothing found", run: "no-such-program", path: "unset", code: 127, says: "not found in PATH=/usr/local/bin:/bin:/usr/bin"},
	{name: "no PATH, not the current directory", files: []string{"sh it"}, run: "it", path: "unset", code: 127, says: "cannot run it: not found"},
	{name: "entry missing", files: []string{"sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "entry is a file", files: []string{"sh a", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "entry may not be searched", files: []string{"sh a/it", "closed a", "sh b/it"}, run: "it", path: "a:b", as: asNobody, says: "ran b/it x y z"},
	{name: "entry may not be searched, nothing else", files: []string{"sh a/it", "closed a"}, run: "it", path: "a:b", as: asNobody, code: 126, says: "cannot run a/it: permission denied"},
	{name: "directory of that name", files: []string{"dir a/it", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "directory of that name, nothing else", files: []string{"dir a/it"}, run: "it", path: "a:b", code: 126, says: "cannot run a/it: is a directory"},
	{name: "not executable", files: []string{"text a/it", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "not executable, nothing else", files: []string{"text a/it"}, run: "it", path: "a:b", code: 126, says: "cannot run a/it: permission denied; is its mode executable"},
	{name: "dangling link", files: []string{"link a/it gone", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "nothing", run: "it", path: "a:b", code: 127, says: "cannot run it: not found in PATH=a:b"},
	// execvp says ENOTDIR, because it comes last.
	{name: "entry is a file, nothing else", files: []string{"sh a"}, run: "it", path: "a", code: 127, says: "cannot run it: not found in PATH=a", env: 126},
	{name: "empty name", run: "", path: "a", code: 127, says: "its name is empty"},
	// execvp gives up at these, which a shell passes over.
	{name: "entry is a loop of links", files: []string{"link a a", "sh b/it"}, run: "it", path: "a:b", code: 126, says: "cannot run a/it: too many levels of symbolic links"},
	{name: "entry too long", files: []string{"sh b/it"}, run: "it", path: strings.Repeat("x", 300) + ":b", code: 126, says: "x/it: file name too long"},
	{name: "entry longer than a path", files: []string{"sh b/it"}, run: "it", path: "b" + strings.Repeat("/./b/..", 600) + ":b", says: "ran b/it x y z"},
	{name: "name too long", run: strings.Repeat("x", 300), path: "a:b", code: 127, says: "not found in PATH=a:b"},

	{name: "script without #!", files: []string{"bare a/it"}, run: "it", path: "a", says: "ran a/it x y z"},
	{name: "script without #!, by slash", files: []string{"bare it"}, run: "./it", path: "a", says: "ran ./it x y z"},
	{name: "script with nothing after #!", files: []string{"#! it "}, run: "./it", path: "", says: "ran ./it x y z"},
	{name: "empty file", files: []string{"empty it"}, run: "./it", path: "", says: ""},
	{name: "#! line over 255 bytes, in its argument", files: []string{"#! it /bin/sh -" + strings.Repeat("e", 300)}, run: "./it", path: "", says: "ran ./it x y z"},
	{name: "#! line over 255 bytes, in its path", files: []string{"#! it " + strings.Repeat("/", 300) + "bin/false"}, run: "./it", path: "", says: "ran ./it x y z"},
	{name: "interpreter with spaces and an argument", files: []string{"#! it    /bin/sh -e"}, run: "./it", path: "", says: "ran ./it x y z"},
	{name: "interpreter relative", files: []string{"#! it a/shell", "link a/shell /bin/sh"}, run: "./it", path: "", says: "ran ./it x y z"},
	{name: "interpreter a script", files: []string{"#! it ./as", "#! as /bin/sh"}, run: "./it", path: "", says: "ran ./as ./it x y z"},
	{name: "execute-only program", files: []string{"unreadable it"}, run: "./it", path: "", as: asNobody, says: "x y z"},

	{name: "path missing", run: "./it", path: "", code: 127, says: "cannot run ./it: no such file or directory"},
	{name: "path dangling", files: []string{"link it gone"}, run: "./it", path: "", code: 127, says: "cannot run ./it: no such file or directory"},
	{name: "interpreter missing", files: []string{"#! it /no/such/shell -e"}, run: "./it", path: "", code: 127, says: "cannot run ./it: its interpreter /no/such/shell does not exist", late: true},
	{name: "interpreter missing, found in PATH", files: []string{"#! a/it /no/such/shell"}, run: "it", path: "a", code: 127, says: "cannot run a/it: its interpreter /no/such/shell does not exist", late: true},
	{name: "interpreter missing, another in PATH", files: []string{"#! a/it /no/such/shell", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "interpreter not executable, another in PATH", files: []string{"#! a/it ./as", "text as", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "interpreters in a circle, another in PATH", files: []string{"#! a/it a/it", "sh b/it"}, run: "it", path: "a:b", code: 126, says: "cannot run a/it: too many levels of symbolic links", late: true},
	{name: "interpreter's interpreter missing", files: []string{"#! it ./as", "#! as /no/such/shell"}, run: "./it", path: "", code: 127, says: "cannot run ./it: its interpreter ./as: its interpreter /no/such/shell does not exist", late: true},
	{name: "interpreter's dynamic linker missing", files: []string{"#! it ./as", "linker as"}, run: "./it", path: "", code: 127, says: "cannot run ./it: its interpreter ./as: its dynamic linker /", late: true},
	{name: "CR LF", files: []string{"#! it /bin/sh\r"}, run: "./it", path: "", code: 127, says: "cannot run ./it: its #! line ends in CR LF", late: true},
	{name: "dynamic linker missing", files: []string{"linker it"}, run: "./it", path: "", code: 127, says: "gone does not exist", late: true},

	{name: "no permission", files: []string{"text it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: permission denied; is its mode executable"},
	{name: "directory may not be searched", files: []string{"sh a/it", "closed a"}, run: "a/it", path: "", as: asNobody, code: 126, says: "cannot run a/it: permission denied"},
	{name: "directory", files: []string{"dir it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: is a directory"},
	{name: "fifo", files: []string{"fifo it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: is not a regular file"},
	{name: "socket", files: []string{"socket it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: is not a regular file"},
	{name: "device", run: "/dev/null", path: "", code: 126, says: "cannot run /dev/null: is not a regular file"},
	{name: "below a file", files: []string{"sh it"}, run: "./it/it", path: "", code: 126, says: "cannot run ./it/it: not a directory"},
	{name: "slash at the end", files: []string{"sh it"}, run: "./it/", path: "", code: 126, says: "cannot run ./it/: not a directory"},
	{name: "loop of links", files: []string{"link it it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: too many levels of symbolic links"},
	{name: "interpreter not executable", files: []string{"#! it ./as", "text as"}, run: "./it", path: "", code: 126, says: "cannot run ./it: its interpreter ./as: permission denied", late: true},
	{name: "interpreter a directory", files: []string{"#! it /"}, run: "./it", path: "", code: 126, says: "cannot run ./it: its interpreter /: is a directory", late: true},
	{name: "capability", files: []string{"capable it"}, run: "./it", path: "", as: withoutNetAdmin, code: 126, says: "lacks: add NET_ADMIN to its securityContext.capabilities", late: true},
	{name: "capability, another in PATH", files: []string{"capable a/it", "sh b/it"}, run: "it", path: "a:b", as: withoutNetAdmin, code: 126, says: "cannot run a/it: operation not permitted: the file has capabilities", late: true},
	// execvp gives these to /bin/sh, which says 2 or 127 and prints bytes.
	{name: "not a program", files: []string{"binary it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: not a program", late: true, env: 127},
	{name: "program of another machine", files: []string{"machine it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: built for SPARCV9, which does not run on", late: true, env: 2},
}

// R10, R11: a program that what is waited for brings, on a volume.
func TestFindsTheProgramAfterTheWait(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	for _, test := range []struct {
		name, run, path string
		files           []string // that are brought
		code            int
		says            string
	}{
		{name: "path", run: "volume/it", files: []string{"sh it"}, says: "ran volume/it x\n"},
		{name: "path in a folder", run: "./volume/a/b/it", files: []string{"sh a/b/it"}, says: "ran ./volume/a/b/it x\n"},
		{name: "link into the volume", run: "./link", files: []string{"sh a/it"}, says: "ran ./link x\n"},
		{name: "PATH", run: "it", path: "none:volume", files: []string{"sh it"}, says: "ran volume/it x\n"},
		{name: "PATH in a folder", run: "it", path: "volume/bin:none", files: []string{"sh bin/it"}, says: "ran volume/bin/it x\n"},
		{name: "interpreter", run: "./script", files: []string{"#! as /bin/sh"}, says: "ran volume/as ./script x\n"},
		{name: "nothing", run: "volume/it", code: 127, says: "level=ERROR msg=\"cannot run volume/it: no such file or directory\""},
		{name: "nothing in PATH", run: "sleep 1", path: "volume", code: 127, says: "To start sleep with arguments"},
		{name: "not executable", run: "volume/it", files: []string{"text it"}, code: 126, says: "cannot run volume/it: permission denied"},
	} {
		for _, mode := range []string{"SUPERVISE=false", "SUPERVISE=true"} {
			t.Run(test.name+" "+mode, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				for _, file := range []string{"dir volume", "link link volume/a/it", "#! script volume/as"} {
					if err := makeFile(dir, file); err != nil {
						t.Fatal(err)
					}
				}
				cmd := command([]string{mode, "WAIT_FOR=file://" + dir + "/volume/ready"},
					"unshare", "--mount", "sh", "-ec", `mount -t tmpfs none volume; PATH=$0; exec "$@"`, test.path, binary, "--", test.run, "x")
				cmd.Dir = dir
				p := start(t, cmd)
				p.untilLog("is not ready yet")
				p.logHas("level=WARN msg=\"cannot run ", "; startgate looks again at the hand-over")
				for _, file := range append(test.files, "sh ready") {
					if err := makeFile(fmt.Sprintf("/proc/%d/root%s/volume", p.pid(), dir), file); err != nil {
						t.Fatal(err)
					}
				}
				p.ends(test.code)
				if test.code == 0 && p.out.String() != test.says || !strings.Contains(p.out.String()+p.log.String(), test.says) {
					p.Errorf("does not say %q", test.says)
				}
			})
		}
	}
}

// withoutNetAdmin runs a program as in a container, which lacks this capability.
var withoutNetAdmin = []string{"setpriv", "--bounding-set=-net_admin"}

// R10: a file that the kernel runs although its interpreter does not exist.
func TestFindsProgramOfBinfmtMisc(t *testing.T) {
	needRoot(t)
	as := []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", `mount -t binfmt_misc none "$0"
echo ':startgate:M::#!/no/such/shell::/bin/sh:' >"$0/register"
exec "$@"`, t.TempDir()}
	if err := exec.Command(as[0], words(as[1:], "true")...).Run(); err != nil {
		skip(t, "needs binfmt_misc of a user namespace (Linux 6.7)")
	}
	lookup{name: "it", files: []string{"#! it /no/such/shell"}, run: "./it", path: "/bin", as: as, says: "ran ./it x y z"}.
		test(newComparison(t), startSidecar(t, ""))
}

// R11: a volume without permission to execute.
func TestFindsNoProgramOnNoexecVolume(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount", "cp")
	mount := []string{"unshare", "--mount", "sh", "-ec", `mount -t tmpfs -o noexec none "$0"; cp /bin/true "$0"; exec "$@"`, t.TempDir()}
	f := lookup{as: mount, run: mount[len(mount)-1] + "/true", path: "/bin"}
	p := f.by(t, "/", startSidecar(t, "").settings(), binary, "--")
	p.ends(126)
	p.logHas("permission denied; is its mode executable (chmod +x) for this user, and its volume not mounted noexec?")
}

// R11: a program that somebody still writes to, such as a copy that is not complete.
func TestProgramBeingWritten(t *testing.T) {
	s := newComparison(t)
	busy := filepath.Join(s.dir, "busy")
	copyFile(t, "/bin/true", busy)
	p := start(t, s.withPipes(launch{states: words("open", 9, busy, unix.O_WRONLY), program: []string{busy}}, binary, "--"))
	p.ends(126)
	p.logHas("cannot run " + busy + ": text file busy")
}

// R11: an image made from scratch has no shell, no /proc, no /dev and no /etc.
func TestScratchImage(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	copyFile(t, binary, filepath.Join(root, "startgate"))
	if err := makeFile(root, "bare script"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		run  []string
		code int
		says string
	}{
		{[]string{"/startgate", "--version"}, 0, "startgate "},
		{[]string{"/script"}, 127, "cannot run /script: it has no #! line, and /bin/sh, which would run it: no such file or directory"},
		{[]string{"program"}, 127, "cannot run program: not found in PATH=/usr/local/bin:/bin:/usr/bin"},
	} {
		cmd := exec.Command("/startgate", words("--", test.run)...)
		cmd.Env = []string{"STARTGATE_WAIT_FOR=none"}
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
		p := start(t, cmd)
		p.ends(test.code)
		if !strings.Contains(p.out.String()+p.log.String(), test.says) {
			p.Errorf("does not say %q", test.says)
		}
	}
}
