package tests

// STARTGATE_QUIT: what becomes of the request, when it is made, and what ends it.

import (
	"net"
	"regexp"
	"syscall"
	"testing"
	"time"
)

func TestQuit(t *testing.T) {
	drains := func(s *sidecar, conn net.Conn) {
		status(200, "")(s, conn)
		time.AfterFunc(3*time.Second, s.refuse)
	}
	for _, test := range []struct {
		name string
		quit reply // nil: nothing listens
		log  string
		time string // STARTGATE_QUIT_TIMEOUT: all of 1s is used, and little of 30s
	}{
		{"gone at once", quitAtOnce, `level=INFO msg="http://127.0.0.1:\d+ is gone" logger=startgate event=quit_accepted target=\S+ elapsed=\d`, "30s"},
		{"drains", drains, `level=INFO msg="http://127.0.0.1:\d+ accepted the shutdown request and is still draining" logger=startgate event=quit_accepted target=\S+ elapsed=1`, "1s"},
		{"404", status(404, "shutdown endpoint is not enabled"), `level=WARN msg="http://127.0.0.1:\d+ did not accept the shutdown request" logger=startgate event=quit_rejected .*answer="POST http://127.0.0.1:\d+: status 404: \\"shutdown endpoint is not enabled\\"" .* docs=\S+#a-job-does-not-end`, "30s"},
		{"405", status(405, ""), `level=WARN .*did not accept the shutdown request" .* answer=.*status 405`, "30s"},
		{"500", status(500, ""), `level=WARN .*did not accept the shutdown request" .* answer=.*status 500`, "30s"},
		{"hangs", hang, `level=WARN .*did not answer the shutdown request in [1-5](.\d+)?s" .*answer=.*no answer in time`, "1s"},
		{"hangs up", hangUp, `level=WARN .*did not answer the shutdown request in [1-5](.\d+)?s" logger=startgate event=quit_unanswered .*: closed without an answer" .* docs=\S+#a-job-does-not-end`, "1s"},
		{"never seen", nil, `level=WARN .*never answered; if it starts later, the pod will not complete" logger=startgate event=quit_never_seen .* answer="POST .*: connection refused" .* docs=\S+#a-job-does-not-end`, "1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSidecar(t, "")
			if s.quit = test.quit; s.quit != nil {
				s.listen()
			}
			p := startGate(t, []string{"WAIT_FOR=none", "QUIT=" + s.url(), "QUIT_TIMEOUT=" + test.time}, "sh", "-c", "exit 7")
			p.ends(7)
			if !regexp.MustCompile(test.log).MatchString(p.log.String()) {
				p.Errorf("the log does not say %s", test.log)
			}
			if test.quit != nil && test.name != "hangs up" { // of which the request is sent again
				s.checkQuits(1)
			}
			if p.took > time.Second+soon {
				p.Errorf("took %v", p.took)
			}
		})
	}
}

// The sidecars are asked to quit whichever way the wait or the application ends.
func TestQuitOnSetting(t *testing.T) {
	t.Parallel()
	missing := []string{"WAIT_FOR=file:///missing", "TIMEOUT=50ms"}
	for _, test := range []struct {
		name     string
		settings []string
		argv     []string
		code     int
		success  bool // whether it is one
	}{
		{"success", nil, []string{"true"}, 0, true},
		{"failure", nil, []string{"false"}, 1, false},
		{"killed", nil, []string{"sh", "-c", "kill -KILL $$"}, 137, false},
		{"not found", nil, []string{"./missing"}, 127, false},
		{"not a program", nil, []string{"/etc/passwd"}, 126, false},
		{"wait failed", missing, []string{"true"}, 124, false},
		{"started all the same", append(missing, "ON_TIMEOUT=start"), []string{"true"}, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, on := range []string{"always", "success"} {
				s := startSidecar(t, "")
				settings := append([]string{"WAIT_FOR=none", "QUIT=" + s.url(), "QUIT_ON=" + on}, test.settings...)
				p := startGate(t, settings, test.argv...)
				p.ends(test.code)
				if test.success || on == "always" {
					s.checkQuits(1)
				} else {
					s.checkQuits(0)
					p.logHas("event=quit_skipped target=" + s.url() + " code=")
				}
			}
		})
	}
}

// A mistake in a setting ends the container too. It once left the sidecar, and the pod. When the
// setting is one that decides about the shutdown, nobody is asked.
func TestQuitAfterAMistakeInASetting(t *testing.T) {
	for mistake, want := range map[string]int{"TIMEOUT=5": 1, "QUIT_TIMEOUT=5": 1, "WAIT_FOR=reddis://x": 1, "QUIT_ON=x": 0, "QUIT_ON=success": 0, "SIDECAR_STATUS=$(X)": 0} {
		s := startSidecar(t, "")
		p := startGate(t, []string{"QUIT=" + s.url(), "METRICS=x", mistake}, "true")
		p.ends(codeFailed)
		s.checkQuits(want)
	}
	s := startSidecar(t, "")
	cmd := command([]string{"WAIT_FOR=none", "QUIT=" + s.url(), "TIMEOUT=5"}, binary, "--check")
	start(t, cmd).ends(codeFailed)
	s.checkQuits(0)
}

func TestQuitAfterASignal(t *testing.T) {
	s := startSidecar(t, "")
	p := startGate(t, []string{"WAIT_FOR=file:///missing", "QUIT=" + s.url()}, "true")
	p.untilLog("is not ready yet")
	p.send(syscall.SIGTERM)
	p.ends(143)
	s.checkQuits(1)

	// The application's end by the signal is its own.
	s = startSidecar(t, "")
	p = startGate(t, []string{"WAIT_FOR=none", "QUIT=" + s.url()}, "sh", "-c", `trap 'exit 9' TERM; echo APP UP; while :; do sleep 0.05; done`)
	p.untilOut("APP UP")
	p.send(syscall.SIGTERM)
	p.ends(9)
	s.checkQuits(1)
}

// A signal that comes while the sidecars are asked to quit ends that at once.
func TestQuitIsEndedByASignal(t *testing.T) {
	s := newSidecar(t, "")
	s.quit = hang
	s.listen()
	p := startGate(t, []string{"WAIT_FOR=none", "QUIT=" + s.url(), "QUIT_TIMEOUT=10m"}, "sh", "-c", "exit 7")
	eventually(p, "the quit", func() bool { return len(s.quitRequests()) > 0 })
	p.send(syscall.SIGTERM)
	p.ends(7) // and not only after ten minutes, for which nothing here has the patience
	p.logHas("event=quit_stopped target=" + s.url() + " signal=SIGTERM")
	p.logHasNot("event=quit_unanswered") // which was once there too: in 0s
}

// All sidecars are asked at once: one that hangs does not delay the other.
func TestQuitTellsAllAtOnce(t *testing.T) {
	slow, quick := newSidecar(t, ""), startSidecar(t, "")
	slow.quit = hang
	slow.listen()
	p := startGate(t, []string{"WAIT_FOR=none", "QUIT=" + slow.url() + "," + quick.url(), "QUIT_TIMEOUT=10m"}, "true")
	eventually(p, "both to be told", func() bool { return len(quick.quitRequests()) == 1 && len(slow.quitRequests()) == 1 })
	p.send(syscall.SIGTERM)
	p.ends(0)
}
