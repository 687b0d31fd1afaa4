//go:build linux

package tests

// startgate --release, which ends a wait.

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// untilReleasable waits until startgate has its socket, and returns the socket's name.
func (p *process) untilReleasable(pid int) (name string) {
	p.Helper()
	eventually(p, "the socket", func() bool {
		name = releaseSocket(p, p.pid(), pid)
		return name != ""
	})
	return name
}

// releaseSocket returns the name of the socket of a wait, as it is in the namespaces of a
// process; empty if there is none. The wait has that PID there.
func releaseSocket(t testing.TB, in, pid int) string {
	t.Helper()
	sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", in))
	if err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", in))
	if err != nil {
		t.Fatal(err)
	}
	name := "@startgate/" + strings.Trim(link, "mnt:[]") + "/" + strconv.Itoa(pid)
	if !strings.Contains(string(sockets), " "+name+"\n") {
		return ""
	}
	return name
}

// sockets returns how many of its files are sockets.
func (p *process) sockets() (n int) {
	p.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.pid())
	files, err := os.ReadDir(dir)
	if err != nil {
		p.Fatalf("%v", err)
	}
	for _, file := range files {
		if target, _ := os.Readlink(dir + "/" + file.Name()); strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

// startInOwnMounts starts a command in a mount namespace of its own, as a container has it:
// --release ends all waits of a container, and those of other tests go on.
func startInOwnMounts(t testing.TB, settings []string, argv ...string) *process {
	t.Helper()
	needRoot(t)
	need(t, "unshare", "nsenter")
	return start(t, command(settings, append([]string{"unshare", "--mount"}, argv...)...))
}

// startPID1 is the same, with startgate as PID 1.
func startPID1(t testing.TB, program ...string) *process {
	t.Helper()
	p := startInOwnMounts(t, never, append([]string{"--pid", "--fork", "--mount-proc", binary, "--"}, program...)...)
	p.gate = p.onlyChild()
	return p
}

// onlyChild waits for its child, and returns that.
func (p *process) onlyChild() int {
	p.Helper()
	eventually(p, "a child", func() bool { return len(childrenOf(p, p.cmd.Process.Pid)) == 1 })
	return childrenOf(p, p.cmd.Process.Pid)[0]
}

// release runs startgate --release in the namespaces of p, by another command if there is one.
func (p *process) release(through ...string) *process {
	p.Helper()
	args := append(words("nsenter", "--mount", "--pid", "--target", strconv.Itoa(p.pid())), through...)
	return runToEnd(p, command(nil, append(args, binary, "--release")...))
}

// never are settings for a wait that does not end.
var never = []string{"WAIT_FOR=file:///missing,tcp://127.0.0.1:1", "TIMEOUT=0"}

// R4, R9: a released application starts as if its targets had come, in either mode, and
// nothing of the release is left.
func TestRelease(t *testing.T) {
	for _, mode := range []string{modeReplace, modeSupervise} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := startInOwnMounts(t, append([]string{mode}, never...), binary, "--", "sh", "-c", "echo started; read line; exit 7")
			name := p.untilReleasable(p.pid())
			r := p.release()
			r.ends(0)
			r.outHas(fmt.Sprintf("startgate: released PID %d\n", p.pid()))
			p.untilOut("started")
			p.logHas("not waiting any longer for file:///missing, tcp://127.0.0.1:1: released by startgate --release", "event=released target=file:///missing", "starting sh")
			if conn, err := net.Dial("unix", name); err == nil {
				conn.Close()
				t.Error("the socket is still there")
			}
			if n := p.sockets(); n > 0 {
				p.Errorf("%d sockets are open", n)
			}
			p.say("")
			p.ends(7)
		})
	}
}

// That of a script goes on after the wait. Other containers have other mount namespaces.
func TestReleaseScript(t *testing.T) {
	t.Parallel()
	p := startInOwnMounts(t, never, "sh", "-c", `"$0" --wait && echo waited; echo code $?`, binary)
	p.gate = p.onlyChild()
	p.untilReleasable(p.gate)
	other := runToEnd(t, command(nil, "unshare", "--mount", binary, "--release"))
	other.ends(codeFailed)
	other.logHas("event=failed code=125", "no startgate in this container has been waiting for more than 1s")
	p.release().ends(0)
	p.ends(0)
	p.outHas("waited\ncode 0\n")
}

// As PID 1 of a container. Who is not in it, is of another user, or only knows the name of
// the socket, releases nothing.
func TestReleasePID1(t *testing.T) {
	t.Parallel()
	need(t, "setpriv")
	p := startPID1(t, "sh", "-c", "echo started; read line") // its end would kill what releases it
	conn, err := net.Dial("unix", p.untilReleasable(1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 100)
	n, _ := conn.Read(answer)
	if got := string(answer[:n]); got != "only a process of this container may release it\n" {
		t.Errorf("from outside: %q", got)
	}
	nobody := p.release(asNobody...)
	nobody.ends(codeFailed)
	nobody.logHas("cannot release PID 1: only user 0 may release it")
	p.logHasNot("released")

	p.release().ends(0)
	p.untilOut("started")
	p.say("")
	p.ends(0)
}

// Who connects and hangs up does not end the wait, as by a PIPE.
func TestReleaseHangsUp(t *testing.T) {
	t.Parallel()
	p := startPID1(t, "true")
	name := p.untilReleasable(1)
	for range 200 {
		conn, err := net.Dial("unix", name)
		if err != nil {
			p.Fatalf("%v", err)
		}
		conn.Close()
	}
	p.send(unix.SIGTERM)
	p.end()
	p.logHas("ended by SIGTERM")
	p.logHasNot("released", "PIPE")
}

// Where there is no socket to be had, the wait goes on, and --release says what it is.
func TestReleaseWithoutSocket(t *testing.T) {
	need(t, "prlimit")
	for name, through := range map[string][]string{
		"few files":   prlimit("nofile=20:20"),
		"no bind":     forbid(t, unix.EPERM, []int{unix.SYS_BIND}),
		"no /proc/ns": {"unshare", "--mount", "sh", "-ec", `mount -t tmpfs none /proc; exec "$@"`, "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "no /proc/ns" {
				needRoot(t)
			}
			t.Parallel()
			target := startSidecar(t, "")
			p := start(t, command(append(target.settings(), "LOG_LEVEL=debug"), append(through, binary, "--", "echo", "started")...))
			p.untilLog("startgate --release will not find this wait: ")
			target.getReady(0)
			p.ends(0)
			p.outHas("started")
		})
	}
}

// A name that another process has taken releases nothing, and says so.
func TestReleaseImpostor(t *testing.T) {
	t.Parallel()
	p := startInOwnMounts(t, nil, "cat")
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	var mounts string
	eventually(t, "its mount namespace", func() bool {
		mounts, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", p.pid()))
		return mounts != own
	})
	listener, err := net.Listen("unix", "@startgate/"+strings.Trim(mounts, "mnt:[]")+"/1")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	r := p.release()
	r.ends(codeFailed)
	r.logHas("cannot release PID 1: another process has its socket")
	if out := r.out.String(); out != "" {
		r.Errorf("it prints %q", out)
	}
}
