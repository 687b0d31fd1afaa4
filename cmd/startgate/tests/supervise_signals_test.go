//go:build linux

package tests

// S2, S3 and S6: which signals reach the application, and how often.

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/startgate/startgate/exec"
	"golang.org/x/sys/unix"
)

// S2: and the mask in which the signals come: it is the application's own.
func TestForwardsEverySignalOnce(t *testing.T) {
	p := startSupervising(t, "signals")
	all := exec.Forwardable()
	for _, sig := range all {
		p.forwards(sig)
	}
	p.forwards(unix.SIGUSR1) // after which there is none on its way
	p.hasGot(append(all, unix.SIGUSR1)...)
}

// S2: a shell gives no signal on to the parts of its pipeline. With group, all of the
// application's processes get each signal once, the first one's children too.
func TestForwardsToGroup(t *testing.T) {
	for _, pid1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("PID 1 %t", pid1), func(t *testing.T) {
			const both = `"$0" signals & exec "$0" signals`
			cmd := command([]string{"WAIT_FOR=none", "SUPERVISE=group"}, binary, "--", "sh", "-c", both, program(t, "supervised"))
			if pid1 {
				needRoot(t)
				asPID1(cmd)
			}
			p := start(t, cmd)
			eventually(p, "both", func() bool { return strings.Count(p.out.String(), "ready") == 2 })
			app := p.app()
			t.Cleanup(func() { _ = syscall.Kill(-app, unix.SIGKILL) })
			want := exec.Forwardable()
			for i, sig := range want {
				p.send(sig)
				eventually(p, fmt.Sprintf("both to get %v", sig), func() bool { return len(p.got()) >= 2*(i+1) })
			}
			p.send(unix.SIGUSR1)
			eventually(p, "both to get USR1", func() bool { return len(p.got()) >= 2*(len(want)+1) })
			want = append(want, unix.SIGUSR1)
			got := p.got()
			slices.Sort(got)
			twice := slices.Sorted(slices.Values(slices.Concat(want, want)))
			if !slices.Equal(got, twice) {
				p.Errorf("they got %v, want %v", got, twice)
			}
		})
	}
}

// S2: what group is for. The code is the shell's.
func TestGroupEndsAPipeline(t *testing.T) {
	for _, test := range []struct {
		supervise string
		left      bool
	}{{"group", false}, {"true", true}} {
		p := startGate(t, []string{"WAIT_FOR=none", "SUPERVISE=" + test.supervise}, "sh", "-c", "echo APP UP; sleep 1000 | sleep 1000; true")
		p.untilOut("APP UP")
		app := p.app()
		t.Cleanup(func() { _ = syscall.Kill(-app, unix.SIGKILL) })
		eventually(p, "the pipeline", func() bool { return len(childrenOf(t, app)) == 2 })
		p.send(unix.SIGTERM)
		p.ends(128 + int(unix.SIGTERM))
		if test.left {
			if err := syscall.Kill(-app, 0); err != nil {
				t.Errorf("the pipeline has ended with the shell")
			}
			continue
		}
		eventually(p, "the pipeline's end", func() bool { return syscall.Kill(-app, 0) == unix.ESRCH })
	}
}

// S2: it is about these by name.
func TestForwardableIsComplete(t *testing.T) {
	all := exec.Forwardable()
	want := []syscall.Signal{
		unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGALRM,
		unix.SIGPIPE, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR,
		unix.SIGXCPU, unix.SIGXFSZ, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV,
		unix.SIGSTKFLT, unix.SIGSYS,
	}
	for sig := syscall.Signal(35); sig <= 64; sig++ {
		want = append(want, sig)
	}
	slices.Sort(all)
	slices.Sort(want)
	if !slices.Equal(all, want) {
		t.Errorf("forwardable are\n%v, want\n%v", all, want)
	}
}

// S2: also as PID 1, and when the signals were blocked for startgate.
func TestForwardsAsPID1AndWhenBlocked(t *testing.T) {
	needRoot(t)
	all := exec.Forwardable()
	for _, pid1 := range []bool{true, false} {
		cmd := newComparison(t).withPipes(launch{
			states: each("block", everySignal()), env: superviseEnv, program: []string{program(t, "supervised"), "signals"},
		}, binary, "--")
		if pid1 {
			asPID1(cmd)
		}
		p := start(t, cmd)
		p.untilOut("ready")
		for _, sig := range all {
			p.forwards(sig)
		}
		p.hasGot(all...)
	}
}

// S2: what is ignored stays so for startgate as well.
func TestIgnoredSignalsAreNotForwarded(t *testing.T) {
	ignored := []syscall.Signal{unix.SIGINT, unix.SIGHUP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT}
	p := start(t, newComparison(t).withPipes(launch{
		states: each("ignore", ignored), env: superviseEnv, program: []string{program(t, "supervised"), "signals"},
	}, binary, "--"))
	p.untilOut("ready")
	for _, sig := range ignored {
		p.send(sig)
	}
	p.forwards(unix.SIGTERM)
	p.hasGot(unix.SIGTERM)
}

// S3: the limit is PROF, which Go's runtime keeps to itself.
func TestNeverForwardsChildOrUrgent(t *testing.T) {
	p := startSupervising(t, "signals")
	for range 100 {
		p.send(unix.SIGCHLD)
		p.send(unix.SIGURG)
		p.send(unix.SIGPROF)
	}
	p.forwards(unix.SIGUSR1)
	p.hasGot(unix.SIGUSR1)
}

// S2: the other limit. Go can neither catch nor drop the first real-time signals. The
// application does not outlive startgate then either.
func TestSignal34EndsBoth(t *testing.T) {
	p := startSupervising(t, "signals")
	app := p.app()
	p.send(34)
	if p.end().Signal() != 34 {
		p.Errorf("signal 34 has not ended it")
	}
	eventually(t, "the application's end", func() bool { return isGone(app) })
}

// S6: a thousand of one signal, and then another.
func TestForwardsBursts(t *testing.T) {
	for _, burst := range []syscall.Signal{unix.SIGUSR1, 40} {
		p := startSupervising(t, "signals")
		for range 1000 {
			p.send(burst)
		}
		p.send(unix.SIGUSR2)
		eventually(t, "USR2", func() bool { return slices.Contains(p.got(), unix.SIGUSR2) })
		p.forwards(unix.SIGTERM)
		count := map[syscall.Signal]int{}
		for _, sig := range p.got() {
			count[sig]++
		}
		t.Logf("of 1000 of %v: %v", burst, count)
		if count[burst] == 0 || count[burst] > 1000 || count[unix.SIGUSR2] != 1 {
			t.Errorf("the application got %v", count)
		}
	}
}
