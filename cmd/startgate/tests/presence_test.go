//go:build linux

package tests

// What is seen of a sidecar in the pod decides whether it is waited for and shut down.

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A redirect to a proxy that never listens, in a pod that is said not to be injected, once
// ended in 124, although there may be no sidecar behind it.
func TestNotInjectedRedirectedForGood(t *testing.T) {
	needRoot(t)
	need(t, "ip", "iptables")
	for _, quit := range []string{"", "istio"} {
		t.Run("quit "+quit, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, redirect)
			p := startDate(t, []string{"SIDECAR_STATUS=", "TIMEOUT=2s", "QUIT_TIMEOUT=100ms", "QUIT=" + quit})
			if took := p.startedAt().Sub(p.began); took < time.Second {
				p.Errorf("started after %v", took)
			}
			p.logHas(symptom, "level=WARN msg=\"istio is not waited for: outbound traffic is redirected to a proxy that does not listen, and STARTGATE_SIDECAR_STATUS is empty\"")
		})
	}
}

// The patience is for all that is waited for together, and the end of the time is no reason
// not to start either.
func TestNotInjectedRedirectedBehindOthers(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	setUp(t, redirect)
	file := filepath.Join(t.TempDir(), "file")
	p := startDate(t, []string{"SIDECAR_STATUS=", "TIMEOUT=4s", "WAIT_FOR=file://" + file + ",istio"})
	p.untilLog("is not ready yet")
	time.Sleep(2500 * time.Millisecond)
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.startedAt()
	p.logHas(symptom, "istio is not waited for: ")
}

// A port that takes no connection and refuses none once held up the time-out and TERM.
func TestNotInjectedPortThatHangs(t *testing.T) {
	needRoot(t)
	need(t, "ip", "iptables")
	for _, ends := range []bool{true, false} {
		t.Run(map[bool]string{true: "TERM", false: "time-out"}[ends], func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, "iptables -A INPUT -i lo -p tcp --dport 15021 -j DROP")
			p := startDate(t, []string{"SIDECAR_STATUS=", "ATTEMPT_TIMEOUT=1s", "TIMEOUT=" + map[bool]string{true: "10m", false: "1s"}[ends]})
			p.untilLog("is not ready yet")
			if ends {
				p.send(syscall.SIGTERM)
				p.ends(143)
				return
			}
			p.ends(codeTimeout)
		})
	}
}

// A sidecar that was given up may still start, and then has to be shut down.
func TestGivenUpIsNotGone(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	setUp(t, redirect)
	agent := newSidecar(t, agentAddr)
	p := startDate(t, []string{"SIDECAR_STATUS=", "TIMEOUT=1s", "QUIT=istio", "QUIT_TIMEOUT=1m"})
	p.untilLog("date exited")
	agent.listen()
	p.ends(0)
	agent.checkQuits(1)
}

// Of several sidecars the annotation speaks of one: istio.
func TestAnnotationIsOfOneSidecar(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	p := startDate(t, []string{"SIDECAR_STATUS=", "WAIT_FOR=istio,dapr", inVain})
	p.waitsInVain()
	p.logHas("istio is not waited for: the pod is not injected", "dapr not ready after")
}

// What is only to be shut down is looked for again at the hand-over.
func TestSignOfWhatIsOnlyShutDown(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	setUp(t, redirect)
	file := filepath.Join(t.TempDir(), "file")
	p := startDate(t, []string{"SIDECAR_STATUS=", "WAIT_FOR=file://" + file, "QUIT=istio"})
	p.untilLog("is not ready yet")
	listenOn(t, proxyAddr)
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.startedAt()
	p.logHas("mode=replace why=\"the pod is not injected\"")
}

// The redirect is another mesh's, whose proxy starts a little later. Istio's port was once
// waited for until 124.
func TestNotInjectedRedirectServedLater(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	setUp(t, redirect)
	p := startDate(t, []string{"SIDECAR_STATUS=", "TIMEOUT=1m"})
	p.untilLog("istio is not ready yet")
	time.Sleep(time.Second)
	served := time.Now()
	listenOn(t, proxyAddr)
	at := p.startedAt()
	if early, late := served.Sub(at), at.Sub(served); early > 0 || late > soon {
		p.Errorf("started %v after the redirect was served", late)
	}
	p.logHas(symptom, "istio is not waited for: there is no sign of it any more")
}

// A sign that has gone takes its conclusion back.
func TestNotInjectedPortStopsAnswering(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	other := startSidecar(t, agentAddr)
	p := startDate(t, []string{"SIDECAR_STATUS=", "TIMEOUT=1m"})
	p.untilLog("status 503")
	other.refuse()
	p.startedAt()
	p.logHas(answering, "istio is not waited for: there is no sign of it any more")
}

// Every mesh that injects its sidecar says so in the pod; sidecars that are written by hand
// are waited for in any case.
func TestNotInjectedOthers(t *testing.T) {
	needRoot(t)
	for _, test := range []struct {
		name  string
		waits bool
	}{{"linkerd", false}, {"consul", false}, {"kuma", false}, {"dapr", false}, {"cloudsql", true}, {"alloydb", true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			settings := []string{"SIDECAR_STATUS=", "WAIT_FOR=" + test.name, "QUIT=" + test.name, inVain, "QUIT_TIMEOUT=100ms"}
			p := startDate(t, settings)
			if test.waits {
				p.waitsInVain()
				p.logHas(test.name + " never answered")
				return
			}
			p.startedAt()
			p.logHas(test.name+" is not waited for: the pod is not injected (STARTGATE_SIDECAR_STATUS is empty, and is to come from metadata.", "mode=replace why=\"the pod is not injected\"")
		})
	}
}

// Whatever such a mesh sets means that its sidecar is there, and that is not doubted.
func TestInjectedOthers(t *testing.T) {
	needRoot(t)
	for name, value := range map[string]string{"linkerd": "stable-2.14.10", "consul": "injected", "kuma": "true", "dapr": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			p := startDate(t, []string{"SIDECAR_STATUS=" + value, "WAIT_FOR=" + name, inVain})
			p.waitsInVain()
			p.logHasNot("level=WARN", "probably not injected")
		})
	}
}

// The hint once doubted what the annotation says.
func TestInjectedHint(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	p := startDate(t, []string{injectedStatus, inVain})
	p.waitsInVain()
	p.logHas("istio was injected, and does not listen yet: see kubectl describe pod, and the log of its container")
	p.logHasNot("probably not injected")
}

// A sidecar that was absent for a while once counted as gone: one that came later stayed,
// and with it the pod.
func TestAbsentIsNotGone(t *testing.T) {
	needRoot(t)
	for _, comes := range []bool{true, false} {
		t.Run(map[bool]string{true: "it comes", false: "it stays away"}[comes], func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			s := newSidecar(t, "127.0.0.1:4191")
			timeout := map[bool]string{true: "1m", false: "1s"}[comes]
			p := startDate(t, []string{"WAIT_FOR=linkerd", "QUIT=linkerd", "ABSENT_AFTER=300ms", "QUIT_TIMEOUT=" + timeout})
			p.untilLog("date exited")
			if comes {
				s.listen()
				p.ends(0)
				s.checkQuits(1)
				return
			}
			p.ends(0)
			p.logHas("linkerd is absent", "linkerd never answered; if it starts later, the pod will not complete")
		})
	}
}

// A proxy without --quitquitquit does not listen where it takes shutdown requests. It once
// counted as gone, and the Job never completed.
func TestQuitPortDoesNotListen(t *testing.T) {
	needRoot(t)
	for _, waitFor := range []string{"cloudsql", "none"} {
		t.Run("waits for "+waitFor, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			startReady(t, "127.0.0.1:9090")
			p := startDate(t, []string{"WAIT_FOR=" + waitFor, "QUIT=cloudsql", "QUIT_TIMEOUT=1s"})
			p.startedAt()
			p.logHas("level=WARN", "cloudsql did not accept the shutdown request", `answer="POST http://localhost:9091/quitquitquit: connection refused"`, `hint="Start the Cloud SQL Auth Proxy with --quitquitquit`)
			p.logHasNot("gone already")
			if found := filterByREADME(t, "app", p.log.String()); found != "" {
				t.Errorf("the README's filter takes this for the application's:\n%s", found)
			}
		})
	}
}

// One that is exiting refuses at one port earlier than at the other, and is gone in the end.
func TestQuitOfOneThatIsExiting(t *testing.T) {
	t.Parallel()
	enterNetwork(t)
	agent, envoy := startReady(t, agentAddr), startSidecar(t, healthAddr)
	p := start(t, command([]string{"QUIT=istio", "QUIT_TIMEOUT=1m"}, binary, "--", "sh", "-c", "echo started; read go"))
	p.untilOut("started")
	agent.refuse()
	p.say("go")
	p.untilLog("sh exited")
	envoy.refuse()
	p.ends(0)
	p.logHas("istio is gone already")
}
