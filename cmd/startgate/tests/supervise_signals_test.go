//go:build linux

package tests

import (
	"slices"
	"syscall"
	"testing"

	"github.com/startgate/startgate/exec"
	"golang.org/x/sys/unix"
)

// S2, and the mask in which the signals come: it is the application's own.
func TestForwardsEverySignalOnce(t *testing.T) {
	i := supervise(t, "signals")
	all := exec.Forwardable()
	for _, sig := range all {
		i.handsOn(sig)
	}
	i.handsOn(unix.SIGUSR1) // after which there is none on its way
	if got, want := i.got(), append(all, unix.SIGUSR1); !slices.Equal(got, want) {
		t.Errorf("the application got\n%v, want\n%v\n%s", got, want, i.log)
	}
}

// S2 is about these by name.
func TestForwardableIsComplete(t *testing.T) {
	all := exec.Forwardable()
	want := []syscall.Signal{
		unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGALRM,
		unix.SIGPIPE, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR,
		unix.SIGXCPU, unix.SIGXFSZ,
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

// S2, also as PID 1, and when the signals were blocked for startgate.
func TestForwardsAsPID1AndWhenBlocked(t *testing.T) {
	need(t, "root")
	all := exec.Forwardable()
	for _, init := range []bool{true, false} {
		cmd := newStage(t).command(start{
			states: each("block", everySignal()), env: supervising(), program: []string{application(t), "signals"},
		}, binary, "--")
		if init {
			asInit(cmd)
		}
		i := begin(t, cmd)
		i.out.until(t, "ready")
		for _, sig := range all {
			i.handsOn(sig)
		}
		if got := i.got(); !slices.Equal(got, all) {
			t.Errorf("as PID 1 %v: the application got\n%v, want\n%v", init, got, all)
		}
	}
}

// S2: what is ignored stays so for startgate as well.
func TestIgnoredSignalsAreNotForwarded(t *testing.T) {
	ignored := []syscall.Signal{unix.SIGINT, unix.SIGHUP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT}
	cmd := newStage(t).command(start{
		states: each("ignore", ignored), env: supervising(), program: []string{application(t), "signals"},
	}, binary, "--")
	i := begin(t, cmd)
	i.out.until(t, "ready")
	for _, sig := range ignored {
		i.send(sig)
	}
	i.handsOn(unix.SIGTERM)
	if got, want := i.got(), []syscall.Signal{unix.SIGTERM}; !slices.Equal(got, want) {
		t.Errorf("the application got %v, want %v", got, want)
	}
}

// S3. The limit: PROF, which Go's runtime keeps to itself.
func TestNeverForwardsChildOrUrgent(t *testing.T) {
	i := supervise(t, "signals")
	for range 100 {
		i.send(unix.SIGCHLD)
		i.send(unix.SIGURG)
		i.send(unix.SIGPROF)
	}
	i.handsOn(unix.SIGUSR1)
	if got, want := i.got(), []syscall.Signal{unix.SIGUSR1}; !slices.Equal(got, want) {
		t.Errorf("the application got %v, want %v", got, want)
	}
}

// The other limit: Go can neither catch nor drop the first real-time signals. The
// application does not outlive startgate then either.
func TestSignal34EndsBoth(t *testing.T) {
	i := supervise(t, "signals")
	app := i.app()
	i.send(34)
	_ = i.code()
	if status := i.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != 34 {
		t.Errorf("ended with %v, want signal 34", i.cmd.ProcessState)
	}
	until(t, "the application's end", func() bool { return isGone(app) })
}

// S6.
func TestForwardsBursts(t *testing.T) {
	for _, burst := range []syscall.Signal{unix.SIGUSR1, 40} {
		i := supervise(t, "signals")
		for range 1000 {
			i.send(burst)
		}
		i.send(unix.SIGUSR2)
		until(t, "USR2", func() bool { return slices.Contains(i.got(), unix.SIGUSR2) })
		i.handsOn(unix.SIGTERM)
		count := map[syscall.Signal]int{}
		for _, sig := range i.got() {
			count[sig]++
		}
		t.Logf("of 1000 of %v: %v", burst, count)
		if count[burst] == 0 || count[burst] > 1000 || count[unix.SIGUSR2] != 1 {
			t.Errorf("the application got %v", count)
		}
	}
}
