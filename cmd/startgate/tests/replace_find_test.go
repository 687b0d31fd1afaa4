//go:build linux

package tests

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// finding is one way to name a program, and what becomes of it.
type finding struct {
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
func (f finding) test(s *stage, gate *gated) {
	s.Run(f.name, func(t *testing.T) {
		if len(f.as) > 0 {
			need(t, f.as[0], "root")
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
		settings := gate.env()
		if f.code == 0 || f.late {
			settings = []string{"STARTGATE_WAIT_FOR=none"}
		}
		asked := gate.asks.Load()
		code, stdout, stderr := f.by(t, dir, settings, binary, "--")
		if gate.asks.Load() != asked {
			t.Errorf("waited before it failed")
		}
		if code != f.code || !strings.Contains(stdout+stderr, f.says) || code == 0 && stdout != f.says+"\n" {
			t.Errorf("exit code %d, want %d and %q\n%s%s", code, f.code, f.says, stdout, stderr)
		}
		if f.code != 0 && stdout != "" {
			t.Errorf("failed, and printed %q", stdout)
		}
		peersCode, peers, stderr := f.by(t, dir, nil, "/usr/bin/env", "--")
		want := f.code
		if f.env != 0 {
			want = f.env
		}
		if peersCode != want {
			t.Errorf("env has exit code %d, want %d\n%s%s", peersCode, want, peers, stderr)
		}
		if peersCode == 0 && stdout != peers {
			t.Errorf("startgate runs it as %q, env as %q", stdout, peers)
		}
	})
}

// by runs the program through another one.
func (f finding) by(t *testing.T, dir string, env []string, through ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience/4) // a failure that waits is one already
	defer cancel()
	argv := append(append(append([]string{}, f.as...), through...), f.run, "x", "y z")
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append([]string{}, env...)
	if f.path != "unset" {
		cmd.Env = append(cmd.Env, "PATH="+f.path)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// R10 and R11.
func TestFindsTheProgramAsExecvp(t *testing.T) {
	s, gate := newStage(t), newGated(t)
	for _, f := range findings {
		f.test(s, gate)
	}
}

var findings = []finding{
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
	{name: "entry may not be searched", files: []string{"sh a/it", "closed a", "sh b/it"}, run: "it", path: "a:b", as: nobody, says: "ran b/it x y z"},
	{name: "entry may not be searched, nothing else", files: []string{"sh a/it", "closed a"}, run: "it", path: "a:b", as: nobody, code: 126, says: "cannot run a/it: permission denied"},
	{name: "directory of that name", files: []string{"dir a/it", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "directory of that name, nothing else", files: []string{"dir a/it"}, run: "it", path: "a:b", code: 126, says: "cannot run a/it: is a directory"},
	{name: "not executable", files: []string{"text a/it", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "not executable, nothing else", files: []string{"text a/it"}, run: "it", path: "a:b", code: 126, says: "cannot run a/it: permission denied; is its mode executable"},
	{name: "dangling link", files: []string{"link a/it gone", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z"},
	{name: "nothing", run: "it", path: "a:b", code: 127, says: "cannot run it: not found in PATH=a:b"},
	{name: "empty name", run: "", path: "a", code: 127, says: "its name is empty"},
	// execvp gives up at what a shell passes over.
	{name: "entry is a loop of links", files: []string{"link a a", "sh b/it"}, run: "it", path: "a:b", says: "ran b/it x y z", env: 126},
	{name: "name too long", run: strings.Repeat("x", 300), path: "a:b", code: 127, says: "not found in PATH=a:b"},

	{name: "script without #!", files: []string{"bare a/it"}, run: "it", path: "a", says: "ran a/it x y z"},
	{name: "script without #!, by slash", files: []string{"bare it"}, run: "./it", path: "a", says: "ran ./it x y z"},
	{name: "script with nothing after #!", files: []string{"#! it "}, run: "./it", path: "", says: "ran ./it x y z"},
	{name: "interpreter with spaces and an argument", files: []string{"#! it    /bin/sh -e"}, run: "./it", path: "", says: "ran ./it x y z"},
	{name: "interpreter relative", files: []string{"#! it a/shell", "link a/shell /bin/sh"}, run: "./it", path: "", says: "ran ./it x y z"},
	{name: "interpreter a script", files: []string{"#! it ./as", "#! as /bin/sh"}, run: "./it", path: "", says: "ran ./as ./it x y z"},
	{name: "execute-only program", files: []string{"unreadable it"}, run: "./it", path: "", as: nobody, says: "x y z"},

	{name: "path missing", run: "./it", path: "", code: 127, says: "cannot run ./it: no such file or directory"},
	{name: "path dangling", files: []string{"link it gone"}, run: "./it", path: "", code: 127, says: "cannot run ./it: no such file or directory"},
	{name: "interpreter missing", files: []string{"#! it /no/such/shell -e"}, run: "./it", path: "", code: 127, says: "cannot run ./it: its interpreter /no/such/shell does not exist"},
	{name: "interpreter missing, found in PATH", files: []string{"#! a/it /no/such/shell"}, run: "it", path: "a", code: 127, says: "cannot run a/it: its interpreter /no/such/shell does not exist"},
	{name: "interpreter's interpreter missing", files: []string{"#! it ./as", "#! as /no/such/shell"}, run: "./it", path: "", code: 127, says: "cannot run ./it: its interpreter ./as: its interpreter /no/such/shell does not exist"},
	{name: "interpreter's dynamic linker missing", files: []string{"#! it ./as", "linker as"}, run: "./it", path: "", code: 127, says: "cannot run ./it: its interpreter ./as: its dynamic linker /"},
	{name: "CR LF", files: []string{"#! it /bin/sh\r"}, run: "./it", path: "", code: 127, says: "cannot run ./it: its #! line ends in CR LF"},
	{name: "dynamic linker missing", files: []string{"linker it"}, run: "./it", path: "", code: 127, says: "gone does not exist"},

	{name: "no permission", files: []string{"text it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: permission denied; is its mode executable"},
	{name: "directory may not be searched", files: []string{"sh a/it", "closed a"}, run: "a/it", path: "", as: nobody, code: 126, says: "cannot run a/it: permission denied"},
	{name: "directory", files: []string{"dir it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: is a directory"},
	{name: "fifo", files: []string{"fifo it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: is not a regular file"},
	{name: "socket", files: []string{"socket it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: is not a regular file"},
	{name: "device", run: "/dev/null", path: "", code: 126, says: "cannot run /dev/null: is not a regular file"},
	{name: "below a file", files: []string{"sh it"}, run: "./it/it", path: "", code: 126, says: "cannot run ./it/it: not a directory"},
	{name: "slash at the end", files: []string{"sh it"}, run: "./it/", path: "", code: 126, says: "cannot run ./it/: not a directory"},
	{name: "loop of links", files: []string{"link it it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: too many levels of symbolic links"},
	{name: "interpreter not executable", files: []string{"#! it ./as", "text as"}, run: "./it", path: "", code: 126, says: "cannot run ./it: its interpreter ./as: permission denied"},
	{name: "interpreter a directory", files: []string{"#! it /"}, run: "./it", path: "", code: 126, says: "cannot run ./it: its interpreter /: is a directory"},
	// execvp gives these to /bin/sh, which says 2 or 127 and prints bytes.
	{name: "not a program", files: []string{"binary it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: not a program", late: true, env: 127},
	{name: "program of another machine", files: []string{"machine it"}, run: "./it", path: "", code: 126, says: "cannot run ./it: built for SPARCV9, which does not run on", late: true, env: 2},
}

// R11. A volume without permission to execute.
func TestFindsNoProgramOnNoexecVolume(t *testing.T) {
	need(t, "root", "unshare")
	s := newStage(t)
	mount := []string{"unshare", "--mount", "sh", "-ec", `mount -t tmpfs -o noexec none "$0"; cp /bin/true "$0"; exec "$@"`, t.TempDir()}
	f := finding{as: mount, run: mount[len(mount)-1] + "/true", path: "/bin"}
	code, _, stderr := f.by(s.T, "/", newGated(t).env(), binary, "--")
	if code != 126 || !strings.Contains(stderr, "permission denied; is its mode executable (chmod +x) for this user, and its volume not mounted noexec?") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// R11. A program that somebody still writes to, such as a copy that is not over.
func TestProgramBeingWritten(t *testing.T) {
	s := newStage(t)
	busy := filepath.Join(s.dir, "busy")
	text, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(busy, text, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := s.command(start{states: set("open", 9, busy, unix.O_WRONLY), program: []string{busy}}, binary, "--")
	log := s.starts(cmd)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 126 || !strings.Contains(log.String(), "cannot run "+busy+": text file busy") {
		t.Errorf("exit code %d: %s", code, log)
	}
}

// An image made from scratch has no shell, no /proc, no /dev and no /etc.
func TestScratchImage(t *testing.T) {
	need(t, "root")
	root := t.TempDir()
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "startgate"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := makeFile(root, "bare script"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		run  []string
		code int
		says string
	}{
		{[]string{"/startgate", "--version"}, 0, "startgate "},
		{[]string{"/script"}, 127, "cannot run /script: it has no #! line, and there is no /bin/sh to run it"},
		{[]string{"program"}, 127, "cannot run program: not found in PATH=/usr/local/bin:/bin:/usr/bin"},
	} {
		cmd := exec.CommandContext(t.Context(), "/startgate", append([]string{"--"}, test.run...)...)
		cmd.Env = []string{"STARTGATE_WAIT_FOR=none"}
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.says) {
			t.Errorf("%q: exit code %d, want %d and %q\n%s", test.run, code, test.code, test.says, out)
		}
	}
}
