//go:build linux

package tests

// A Job whose program cannot be started, while the sidecar's image is still being pulled:
// startgate waits for the injected sidecar, to shut it down.

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// logComesLate is what the log has while startgate waits for such a sidecar.
const logComesLate = "event=quit_waiting target=istio"

// lateQuit are settings with little time for the shutdown requests.
func lateQuit(more ...string) []string {
	return append([]string{"WAIT_FOR=none", "QUIT=istio", "QUIT_TIMEOUT=100ms", injectedStatus}, more...)
}

// The sidecar once had STARTGATE_QUIT_TIMEOUT to start, and with code 125 was not asked at
// all: the pod stayed.
func TestQuitOfASidecarThatComesLate(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings []string
		argv     []string
		code     int
		reason   string // in the line that comes at once
	}{
		{"no program", nil, []string{binary, "--", "./missing"}, 127, "no such file or directory"},
		{"not a program", nil, []string{binary, "--", "/etc/passwd"}, 126, "permission denied"},
		{"no limit", []string{"TIMEOUT=0"}, []string{binary, "--", "./missing"}, 127, "no such file or directory"},
		{"a wrong setting", []string{"BACKOFF_MAX=5"}, []string{binary, "--", "true"}, codeFailed, "missing unit, write 5s"},
		{"wrong times", []string{"TIMEOUT=5", "WAIT_FOR=reddis://x"}, []string{binary, "--", "true"}, codeFailed, "missing unit, write 5s"},
		{"a wrong flag, as PID 1", nil, []string{"unshare", "--pid", "--fork", binary, "--tiemout=5m", "true"}, codeFailed, "unknown flag"},
		{"no program, as PID 1", nil, []string{"unshare", "--pid", "--fork", binary, "--"}, codeFailed, "no program to start"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			p := start(t, command(lateQuit(test.settings...), test.argv...))
			p.untilLog(logComesLate)
			before, _, _ := strings.Cut(p.log.String(), logComesLate)
			if !strings.Contains(before, test.reason) {
				p.Errorf("the reason is not there yet")
			}
			time.Sleep(500 * time.Millisecond) // more than STARTGATE_QUIT_TIMEOUT
			s := startSidecar(t, agentAddr)
			p.ends(test.code)
			s.checkQuits(1)
			p.logHas("event=quit_accepted target=istio")
		})
	}
}

// It has what is left of STARTGATE_TIMEOUT, and the shutdown request is part of that.
func TestQuitOfASidecarThatNeverComes(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	p := start(t, command(lateQuit("TIMEOUT=3s", "QUIT_TIMEOUT=2500ms"), binary, "--", "./missing"))
	p.ends(127)
	p.logHas(logComesLate, "event=quit_never_seen target=istio")
	if p.took < 3*time.Second || p.took > 5*time.Second {
		p.Errorf("it took %v, want 3 s, of which the shutdown request has 2.5 s", p.took)
	}
}

// In every other case the sidecar has STARTGATE_QUIT_TIMEOUT, or is not asked.
func TestQuitDoesNotWaitForASidecar(t *testing.T) {
	const asked = "event=quit_never_seen target=istio"
	for _, test := range []struct {
		name  string
		argv  []string
		code  int
		asked bool
		set   []string
	}{
		{"not known to be injected", []string{"./missing"}, 127, true, []string{"SIDECAR_STATUS=[]"}},
		{"not injected", []string{"./missing"}, 127, false, []string{"SIDECAR_STATUS="}},
		{"not injected, and a wrong setting", []string{"true"}, codeFailed, false, []string{"SIDECAR_STATUS=", "TIMEOUT=5"}},
		{"native", []string{"./missing"}, 127, false, []string{`SIDECAR_STATUS={"initContainers":["istio-proxy"]}`}},
		{"only after success", []string{"./missing"}, 127, false, []string{"QUIT_ON=success"}},
		{"only after success, and a wrong setting", []string{"true"}, codeFailed, false, []string{"QUIT_ON=success", "TIMEOUT=5"}},
		{"the application's own code", []string{"sh", "-c", "exit 127"}, 127, true, nil},
		{"a wait in vain", []string{"true"}, codeTimeout, true, []string{"WAIT_FOR=file:///missing", "TIMEOUT=100ms"}},
		{"which sidecars is not known", []string{"true"}, codeFailed, false, []string{"QUIT=istio,isto"}},
		{"when is not known", []string{"true"}, codeFailed, false, []string{"QUIT_ON=succes"}},
		{"whether is not known", []string{"true"}, codeFailed, false, []string{"SIDECAR_STATUS=$(STATUS)"}},
		{"a wrong flag, perhaps of a kubectl exec", nil, codeFailed, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, outbound)
			argv := append([]string{binary, "--"}, test.argv...)
			p := start(t, command(lateQuit(test.set...), argv...))
			p.ends(test.code)
			p.logHasNot(logComesLate)
			if strings.Contains(p.log.String(), asked) != test.asked {
				p.Errorf("the sidecar was to be asked: %t", test.asked)
			}
		})
	}
}

// One that was there, and is gone when the program turns out not to run, does not come any more.
func TestQuitDoesNotWaitForASidecarThatWasReady(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	dir := t.TempDir()
	if err := makeFile(dir, "#! script /no/such"); err != nil {
		t.Fatal(err)
	}
	s := newSidecar(t, agentAddr)
	s.answer = func(s *sidecar, conn net.Conn) {
		status(200, "")(s, conn)
		s.refuse()
	}
	s.listen()
	p := start(t, command(lateQuit("WAIT_FOR=istio"), binary, "--", dir+"/script"))
	p.ends(127)
	p.logHas("event=quit_gone target=istio")
	p.logHasNot(logComesLate)
}

// A signal that stops programs ends that wait. The code stays the one of the reason.
func TestASignalEndsTheWaitForALateSidecar(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			p := start(t, command(lateQuit(), binary, "--", "./missing"))
			p.untilLog(logComesLate)
			p.send(sig)
			p.ends(127)
			p.logHas("event=quit_stopped target=istio signal=" + unix.SignalName(sig))
			p.logHasNot("event=quit_never_seen")
		})
	}
}

// A signal that comes while startgate, with a wrong setting, still looks for the sidecar: nothing
// is shut down, which could take STARTGATE_QUIT_TIMEOUT.
func TestASignalDuringTheLookAfterAWrongSetting(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	setUp(t, "iptables -A INPUT -i lo -p tcp --dport 15020:15021 -j DROP")
	p := start(t, command(lateQuit("SIDECAR_STATUS=", "TIMEOUT=5", "ATTEMPT_TIMEOUT=1m", "QUIT_TIMEOUT=1m"), binary, "--", "true"))
	eventually(p, "a connection to the sidecar", func() bool { return connecting(p.pid()) })
	p.send(unix.SIGTERM)
	p.ends(codeFailed)
	p.logHas("missing unit, write 5s")
	p.logHasNot("event=quit_")
}

// The termination message is there while startgate waits for the sidecar.
func TestTerminationLogBeforeTheShutdown(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	need(t, "unshare", "mount")
	script := inContainer + `"$1" -- ./missing 2>/dev/log & until grep -q "` + logComesLate + `" /dev/log; do :; done; cat /dev/termination-log; kill $!; wait $!`
	p := start(t, command(lateQuit(), "unshare", "--mount", "sh", "-c", script, "sh", binary))
	p.ends(127)
	p.outHas("startgate: cannot run ./missing: no such file or directory\n")
}
