//go:build linux

package tests

// The core of both modes in gVisor, which GKE Sandbox uses: codes, signals, orphans, a
// sidecar's quit, and --install.

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inSandbox is a command that runs another in a sandbox of its own, which has the
// machine's files, a copy of what is written to them, and a loopback interface.
func inSandbox(settings []string, argv ...string) *exec.Cmd {
	cmd := command(settings, words("runsc", "--network=none", "--ignore-cgroups", "do", "--quiet", argv)...)
	cmd.Env = append(cmd.Env, "TMPDIR="+filepath.Dir(binary)) // where runsc sometimes leaves its own files
	return cmd
}

// runscWorks returns why there can be no sandbox on this machine, or nothing.
var runscWorks = sync.OnceValue(func() string {
	if out, err := inSandbox(nil, "true").CombinedOutput(); err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return ""
})

func needSandbox(t *testing.T) {
	t.Helper()
	needRoot(t)
	need(t, "runsc")
	if why := runscWorks(); why != "" {
		skip(t, "needs a sandbox of runsc: "+why)
	}
}

func TestGVisor(t *testing.T) {
	needSandbox(t)
	for name, test := range map[string]func(*testing.T){
		"codes": sandboxedCodes, "TERM while waiting": sandboxedTerm, "signals": sandboxedSignals, "orphans": sandboxedOrphans,
		"a sidecar": sandboxedSidecar, "install": sandboxedInstall,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// sandboxedCodes starts all in one sandbox, and one more as its PID 1.
func sandboxedCodes(t *testing.T) {
	die := program(t, "supervised")
	for _, mode := range []string{modeReplace, modeSupervise} {
		p := start(t, inSandbox([]string{mode, "WAIT_FOR=none"}, "sh", "-c", `
is() { want=$1; shift; "$@"; code=$?; [ $code = $want ] || echo "$*: code $code, want $want"; }
is 0 "$0" -- true
is 7 "$0" -- sh -c 'exit 7'
is 255 "$0" -- sh -c 'exit 255'
is 143 "$0" -- "$1" die 15
is 137 "$0" -- "$1" die 9
is 127 "$0" -- ./missing
is 126 "$0" -- /etc/passwd
is 124 env STARTGATE_WAIT_FOR=tcp://127.0.0.1:9 STARTGATE_TIMEOUT=50ms "$0" -- true
is 125 env STARTGATE_TIMEOUT=5 "$0" -- true`, binary, die))
		p.ends(0)
		if p.out.String() != "" {
			p.Errorf("codes differ")
		}
		p = start(t, inSandbox([]string{mode, "WAIT_FOR=none"}, binary, "--", "sh", "-c", `echo "pid $$"; exit 7`))
		p.ends(7)
		if first := strings.HasPrefix(p.out.String(), "pid 1\n"); first != (mode == modeReplace) {
			p.Errorf("the application is PID 1: %t", first)
		}
	}
}

func sandboxedTerm(t *testing.T) {
	for _, mode := range []string{modeReplace, modeSupervise} {
		p := start(t, signalledInside([]string{mode, "WAIT_FOR=tcp://127.0.0.1:9"}, "echo", "APP UP"))
		p.untilLog("connection refused")
		p.say(fmt.Sprint(int(unix.SIGTERM)))
		p.ends(128 + int(unix.SIGTERM))
		p.logHas("ended by SIGTERM")
	}
}

// signalledInside is a command that starts startgate in front of a program, as PID 1 of a
// sandbox. A line of its input is a signal that PID 1 is sent there.
func signalledInside(settings []string, argv ...string) *exec.Cmd {
	const sends = `exec 3<&0; (while read -r n; do kill -"$n" 1; done <&3) & exec "$@"`
	return inSandbox(settings, words("sh", "-c", sends, "sh", binary, "--", argv)...)
}

// sandboxedSignals finds PID 1 without the protection that it has elsewhere: its signals
// are those of any other process.
func sandboxedSignals(t *testing.T) {
	for _, mode := range []string{modeReplace, modeSupervise} {
		p := start(t, signalledInside([]string{mode, "WAIT_FOR=none"}, program(t, "supervised"), "signals"))
		p.untilOut("ready")
		var want []syscall.Signal
		for _, test := range signalTable {
			effect := test.supervising.other
			if mode == modeReplace && slices.Contains(everySignal(), test.sig) {
				effect = handedOn
			}
			switch effect {
			case handedOn:
				p.say(fmt.Sprint(int(test.sig)))
				want = append(want, test.sig)
				eventually(p, fmt.Sprintf("the application to get %v", test.sig), func() bool { return len(p.got()) == len(want) })
			case passed:
				p.say(fmt.Sprint(int(test.sig)))
			case killing, stopped, ended, hurried:
			}
		}
		p.say(fmt.Sprint(int(unix.SIGUSR1)))
		eventually(p, "USR1", func() bool { return len(p.got()) > len(want) })
		p.hasGot(append(want, unix.SIGUSR1)...)
		p.say(fmt.Sprint(int(unix.SIGKILL)))
		p.ends(128 + int(unix.SIGKILL))
	}
	p := start(t, signalledInside([]string{"WAIT_FOR=none"}, "sh", "-c", "echo ready; exec sleep 100"))
	p.untilOut("ready")
	p.say(fmt.Sprint(int(unix.SIGTERM)))
	p.ends(128 + int(unix.SIGTERM))
}

// sandboxedOrphans counts the processes that have exited and were not reaped.
func sandboxedOrphans(t *testing.T) {
	const counts = `"$0" crowd 20 0; sleep 0.2; cat /proc/[0-9]*/status | grep -c '^State:.*Z'; exit 9`
	p := start(t, inSandbox(superviseSettings, binary, "--", "sh", "-c", counts, program(t, "supervised")))
	p.ends(9)
	if out := p.out.String(); out != "0\n" {
		p.Errorf("there are zombies")
	}
}

// sandboxedSidecar has one that answers 200, once it listens, and one that quits when it is asked to.
func sandboxedSidecar(t *testing.T) {
	need(t, "busybox")
	p := start(t, inSandbox([]string{"WAIT_FOR=http://127.0.0.1:9001", "QUIT=http://127.0.0.1:9002/quit", "LOG_LEVEL=debug"}, "sh", "-c", `
answer() { printf 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' | busybox nc -l -p "$1" >&2; }
(sleep 0.2; while :; do answer 9001; done) & answer 9002 &
exec "$0" -- sh -c 'exit 7'`, binary))
	p.ends(7)
	p.logHas("http://127.0.0.1:9001 is ready", "http://127.0.0.1:9002/quit is gone")
}

func sandboxedInstall(t *testing.T) {
	p := start(t, inSandbox(nil, "sh", "-ec", `
dir=$(mktemp -d); "$0" --install "$dir/copy" >&2; cmp "$0" "$dir/copy"; test -x "$dir/copy"; "$dir/copy" --version`, binary))
	p.ends(0)
	p.outHas("startgate ")
}
