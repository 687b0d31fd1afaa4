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
		most time.Duration
	}{
		{"gone at once", quitAtOnce, `level=INFO msg="http://127.0.0.1:\d+ is gone" after=\d+m?s`, time.Second},
		{"drains", drains, `level=INFO msg="http://127.0.0.1:\d+ accepted the shutdown request and is still draining"`, 2 * time.Second},
		{"404", status(404, "shutdown endpoint is not enabled"), `level=WARN msg="http://127.0.0.1:\d+ did not accept the shutdown request: POST http://127.0.0.1:\d+: status 404: \\"shutdown endpoint is not enabled\\"`, time.Second},
		{"405", status(405, ""), `level=WARN .*did not accept the shutdown request: .*status 405`, time.Second},
		{"500", status(500, ""), `level=WARN .*did not accept the shutdown request: .*status 500`, time.Second},
		{"hangs", hang, `level=WARN .*did not answer the shutdown request in 1(.\d+)?s: .*no answer in time`, 2 * time.Second},
		{"hangs up", hangUp, `level=WARN .*did not answer the shutdown request in 1(.\d+)?s: .*closed without an answer`, 2 * time.Second},
		{"never seen", nil, `level=WARN .*never answered; if it starts later, the pod will not complete: POST .*: connection refused`, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSidecar(t, "")
			if s.quit = test.quit; s.quit != nil {
				s.listen()
			}
			p := startGate(t, []string{"WAIT_FOR=none", "QUIT=" + s.url(), "QUIT_TIMEOUT=1s"}, "sh", "-c", "exit 7")
			p.ends(7)
			if !regexp.MustCompile(test.log).MatchString(p.log.String()) {
				p.Errorf("the log does not say %s", test.log)
			}
			if test.quit != nil && test.name != "hangs up" { // of which the request is sent again
				s.wasTold(1)
			}
			if p.took > test.most+soon {
				t.Errorf("took %v, want at most %v", p.took, test.most)
			}
		})
	}
}

// The quits are sent however the way to the application or the application ends.
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
					s.wasTold(1)
				} else {
					s.wasTold(0)
					p.logHas("not shutting down " + s.url() + ": STARTGATE_QUIT_ON=success")
				}
			}
		})
	}
}

// A setting that is wrong is found before anything is done.
func TestQuitNotWithoutSettings(t *testing.T) {
	s := startSidecar(t, "")
	startGate(t, []string{"WAIT_FOR=none", "QUIT=" + s.url(), "TIMEOUT=5"}, "true").ends(codeFailed)
	s.wasTold(0)
}

func TestQuitAfterASignal(t *testing.T) {
	s := startSidecar(t, "")
	p := startGate(t, []string{"WAIT_FOR=file:///missing", "QUIT=" + s.url()}, "true")
	p.untilLog("is not ready yet")
	p.send(syscall.SIGTERM)
	p.ends(143)
	s.wasTold(1)

	// The application's end by the signal is its own.
	s = startSidecar(t, "")
	p = startGate(t, []string{"WAIT_FOR=none", "QUIT=" + s.url()}, "sh", "-c", `trap 'exit 9' TERM; echo APP UP; while :; do sleep 0.05; done`)
	p.untilOut("APP UP")
	p.send(syscall.SIGTERM)
	p.ends(9)
	s.wasTold(1)
}

// A signal while the sidecars are told to quit ends that now.
func TestQuitIsEndedByASignal(t *testing.T) {
	s := newSidecar(t, "")
	s.quit = hang
	s.listen()
	p := startGate(t, []string{"WAIT_FOR=none", "QUIT=" + s.url(), "QUIT_TIMEOUT=10m"}, "sh", "-c", "exit 7")
	eventually(p, "the quit", func() bool { return len(s.told()) > 0 })
	p.send(syscall.SIGTERM)
	p.ends(7) // and not only after ten minutes, for which nothing here has the patience
	p.logHas("to shut down: SIGTERM")
}

// Of two sidecars of which one hangs, the other is told at once.
func TestQuitTellsAllAtOnce(t *testing.T) {
	slow, quick := newSidecar(t, ""), startSidecar(t, "")
	slow.quit = hang
	slow.listen()
	p := startGate(t, []string{"WAIT_FOR=none", "QUIT=" + slow.url() + "," + quick.url(), "QUIT_TIMEOUT=10m"}, "true")
	eventually(p, "both to be told", func() bool { return len(quick.told()) == 1 && len(slow.told()) == 1 })
	p.send(syscall.SIGTERM)
	p.ends(0)
}
