//go:build linux

package tests

// Whether there is a sidecar at all, in network namespaces, where the name istio and
// its ports can be used and traffic can be redirected as in a pod.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// enterNetwork moves the calling goroutine to a thread in a network namespace of
// its own: what the goroutine itself listens on and the processes that it starts
// are in there.
func enterNetwork(t testing.TB) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if err := ownNetwork(); err != nil {
		t.Fatal(err)
	}
}

// outbound is a way out of a network namespace that leads nowhere: packets go,
// and nothing comes back.
const outbound = `
ip link add out0 type veth peer name out1
ip link set out1 up
ip link set out0 up arp off
ip address add 10.255.255.1/24 dev out0
ip route add default dev out0
`

// redirect is what istio-init does (istio/istio, tools/istio-iptables): all TCP
// goes to port 15001, but not the proxy's own (uid 1337) and not to loopback.
const redirect = outbound + `
iptables -t nat -N ISTIO_REDIRECT
iptables -t nat -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
iptables -t nat -N ISTIO_OUTPUT
iptables -t nat -A OUTPUT -p tcp -j ISTIO_OUTPUT
iptables -t nat -A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
iptables -t nat -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
iptables -t nat -A ISTIO_OUTPUT -j ISTIO_REDIRECT
`

// setUp runs a script in the network namespace of the calling goroutine.
func setUp(t testing.TB, script string) {
	t.Helper()
	if script == "" {
		return
	}
	need(t, "ip", "iptables")
	if out, err := exec.CommandContext(t.Context(), "sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
}

// startDate starts startgate with these settings in front of date, which says when it
// began. through is a command that becomes startgate.
func startDate(t testing.TB, settings []string, through ...string) *process {
	t.Helper()
	need(t, "date")
	return start(t, command(settings, words(through, binary, "--", "date", "+%s%N")...))
}

// startedAt waits for date and returns when it started.
func (p *process) startedAt() time.Time {
	p.Helper()
	code := p.code()
	at, err := strconv.ParseInt(strings.TrimSpace(p.out.String()), 10, 64)
	if code != 0 || err != nil {
		p.Fatalf("the application did not start: code %d, %v", code, err)
	}
	return time.Unix(0, at)
}

// startsAfter waits for date, which must not have started earlier.
func (p *process) startsAfter(ready time.Time) {
	p.Helper()
	if early := ready.Sub(p.startedAt()); early > 0 {
		p.Errorf("started %v too early", early)
	}
}

// waitsInVain waits for the end, which must be that the time was up.
func (p *process) waitsInVain() {
	p.Helper()
	p.ends(codeTimeout)
	if p.out.String() != "" {
		p.Errorf("the application was started")
	}
}

// ownNetwork moves the calling thread to a new network that has a loopback
// interface and nothing else.
func ownNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP)
	return os.NewSyscallError("ioctl", unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback))
}

// inVain is a time-out after which a test knows that startgate goes on waiting.
const inVain = "TIMEOUT=2s"

const (
	skips     = `istio is not waited for: the pod is not injected (STARTGATE_SIDECAR_STATUS is empty)`
	although  = `the pod seems to have istio although STARTGATE_SIDECAR_STATUS is empty: `
	answering = although + "its port answers"
	symptom   = although + "outbound traffic is redirected to a proxy that does not listen"
)

// The annotation is set and empty: there is no sidecar, unless something shows
// that there is.
func TestNotInjected(t *testing.T) {
	needRoot(t)
	need(t, "ip", "iptables")
	for _, test := range []struct {
		name    string
		setup   string
		listens []string // what accepts connections and does not answer
		waits   bool
		has     []string
		hasNot  []string
	}{
		{"nothing there", "", nil, false, []string{skips}, []string{although, "waiting for istio"}},
		{"nothing there, and a network", outbound, nil, false, []string{skips}, []string{although, "waiting for istio"}},
		{"another port of Istio", "", []string{"127.0.0.1:15090"}, false, []string{skips}, []string{although}},
		{"redirected to a proxy that listens", redirect, []string{proxyAddr}, false, []string{skips}, []string{although}},
		{"the agent's port answers", "", []string{agentAddr}, true, []string{answering, "WARN"}, []string{skips}},
		{"the agent's port answers by IPv6", "", []string{"[::1]:15020"}, true, []string{answering}, []string{skips}},
		{"the health port answers", "", []string{healthAddr}, true, []string{answering}, []string{skips}},
		{"the health port answers by IPv6", "", []string{"[::1]:15021"}, true, []string{answering}, []string{skips}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, test.setup)
			for _, addr := range test.listens {
				listenOn(t, addr)
			}
			if test.waits {
				p := startDate(t, []string{"SIDECAR_STATUS=", inVain})
				p.waitsInVain()
				p.logHas(test.has...)
				p.logHasNot(test.hasNot...)
				return
			}
			p := startDate(t, []string{"SIDECAR_STATUS="})
			if took := p.startedAt().Sub(p.began); took > soon {
				p.Errorf("started after %v", took)
			}
			p.logHas(test.has...)
			p.logHasNot(test.hasNot...)
		})
	}
}

// What was warned of comes up, and was worth the wait.
func TestNotInjectedAndReady(t *testing.T) {
	needRoot(t)
	need(t, "ip", "iptables")
	for _, setup := range []string{"", redirect} {
		t.Run(fmt.Sprintf("redirected %t", setup != ""), func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, setup)
			agent := newSidecar(t, agentAddr)
			if setup == "" {
				agent.listen()
			}
			p := startDate(t, []string{"SIDECAR_STATUS="})
			p.untilLog("istio is not ready yet")
			if setup != "" {
				agent.listen()
			}
			p.untilLog("status 503")
			p.startsAfter(agent.getReady(0))
		})
	}
}

// Only the name istio is skipped. Other targets are always waited for, and so is
// Istio's address when it is given as a URL.
func TestNotInjectedOtherTargets(t *testing.T) {
	needRoot(t)
	for _, list := range []string{"http://localhost:15020/healthz/ready", "istio,tcp://127.0.0.1:7000", "tcp://127.0.0.1:7000,istio"} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			startDate(t, []string{"SIDECAR_STATUS=", "WAIT_FOR=" + list, inVain}).waitsInVain()
		})
	}
}

// A program whose queue of connections is full is a sign too, and the look for one
// takes no longer than a probe: the kernel alone would try for two minutes.
func TestNotInjectedQueueFull(t *testing.T) {
	needRoot(t)
	t.Parallel()
	enterNetwork(t)
	fillQueue(t, 15020)
	p := startDate(t, []string{"SIDECAR_STATUS=", "ATTEMPT_TIMEOUT=300ms", inVain})
	p.waitsInVain()
	if p.took > 3*soon {
		p.Errorf("ended after %v", p.took)
	}
	p.logHas(answering)
	p.logHasNot(skips)
}

// fillQueue listens on a port of 127.0.0.1, and lets it have more connections than
// it takes without accepting one.
func fillQueue(t testing.TB, port int) {
	t.Helper()
	addr := &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	for i := range 4 {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(fd) })
		if i == 0 {
			err = errors.Join(syscall.Bind(fd, addr), syscall.Listen(fd, 0))
		} else if err = syscall.Connect(fd, addr); err == syscall.EINPROGRESS {
			err = nil
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Without the annotation startgate cannot know, and waits.
func TestInjectionUnknown(t *testing.T) {
	needRoot(t)
	t.Parallel()
	enterNetwork(t)
	p := startDate(t, []string{inVain})
	p.waitsInVain()
	p.logHas("cannot start date: istio not ready after ", "connection refused", docs("not-injected"))
	p.logHasNot("WARN")
}

// The same, when the symptom shows that there is a sidecar.
func TestInjectionUnknownRedirected(t *testing.T) {
	needRoot(t)
	need(t, "ip", "iptables")
	t.Parallel()
	enterNetwork(t)
	setUp(t, redirect)
	p := startDate(t, []string{inVain})
	p.waitsInVain()
	p.logHas("Outbound traffic is redirected to a proxy that does not listen")
	p.logHasNot("Nothing is redirected")
}

// ABSENT_AFTER gives up a sidecar that shows no sign, and no other.
func TestAbsentAfter(t *testing.T) {
	needRoot(t)
	need(t, "ip", "iptables")
	const (
		after  = 400 * time.Millisecond
		absent = "istio is absent: nothing has listened on its ports"
	)
	for _, test := range []struct {
		name    string
		setup   string
		listens []string
		status  string
		waits   bool
	}{
		{"nothing there", "", nil, "", false},
		{"nothing there, and a network", outbound, nil, "", false},
		{"redirected to a proxy that listens", redirect, []string{proxyAddr}, "", false},
		{"nothing there but an annotation", "", nil, injectedStatus, false},
		{"redirected to nobody", redirect, nil, "", true},
		{"the agent's port answers", "", []string{agentAddr}, "", true},
		{"the health port answers", "", []string{healthAddr}, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, test.setup)
			for _, addr := range test.listens {
				listenOn(t, addr)
			}
			settings := []string{"ABSENT_AFTER=" + after.String()}
			if test.status != "" {
				settings = append(settings, test.status)
			}
			if test.waits {
				p := startDate(t, append(settings, inVain))
				p.waitsInVain()
				p.logHasNot(absent)
				return
			}
			p := startDate(t, settings)
			if took := p.startedAt().Sub(p.began); took < after || took > after+soon {
				p.Errorf("started after %v, want %v", took, after)
			}
			p.logHas(absent, "event=skipped target=istio elapsed=")
			p.logHasNot("WARN", "ERROR")
		})
	}
}

// A sidecar that comes up before ABSENT_AFTER is not absent, however long it then
// takes to get ready, and also when it stops for a while.
func TestAbsentAfterPresent(t *testing.T) {
	needRoot(t)
	t.Parallel()
	enterNetwork(t)
	agent := newSidecar(t, agentAddr)
	const after = 3 * time.Second // within which it must have been seen, on a busy machine
	p := startDate(t, []string{"ABSENT_AFTER=" + after.String(), "ATTEMPT_TIMEOUT=300ms"})
	p.untilLog("connection refused")
	agent.listen()
	p.untilLog("status 503")
	agent.refuse()
	time.Sleep(time.Until(p.began.Add(after + after/4))) // what is tested is that nothing happens by then
	agent.listen()
	p.startsAfter(agent.getReady(0))
	p.logHasNot("absent")
}

// An absent sidecar is no reason not to wait for the others.
func TestAbsentAfterOtherTargets(t *testing.T) {
	needRoot(t)
	t.Parallel()
	enterNetwork(t)
	p := startDate(t, []string{"WAIT_FOR=istio,tcp://127.0.0.1:7000", "ABSENT_AFTER=100ms", "TIMEOUT=3s"})
	p.waitsInVain()
	p.logHas("istio is absent", "tcp://127.0.0.1:7000 not ready")
}

// The annotation of an injected pod: whatever it says, startgate waits, and warns
// when it does not understand it.
func TestSidecarStatus(t *testing.T) {
	needRoot(t)
	const (
		classic = `{"revision":"default","initContainers":["istio-init"],"containers":["istio-proxy"],"volumes":["istio-envoy"],"imagePullSecrets":null}`
		native  = `{"revision":"default","initContainers":["istio-init","istio-proxy"],"containers":null,"volumes":["istio-envoy"]}`
		warning = "STARTGATE_SIDECAR_STATUS is not what an injected pod of istio has; waiting as if it were"
	)
	for _, test := range []struct {
		name, status string
		warns        bool
	}{
		{"classic", classic, false},
		{"native", native, false},
		{"neither", `{"initContainers":["istio-init"],"containers":["app"]}`, true},
		{"empty object", `{}`, true},
		{"other JSON", `["istio-proxy"]`, true},
		{"null", `null`, true},
		{"other types", `{"containers":"istio-proxy"}`, true},
		{"not JSON", `injected`, true},
		{"cut", classic[:40], true},
		{"space", ` `, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			agent := startSidecar(t, agentAddr)
			p := startDate(t, []string{"SIDECAR_STATUS=" + test.status})
			p.untilLog("status 503")
			p.startsAfter(agent.getReady(0))
			if test.warns {
				p.logHas(warning, "WARN")
			} else {
				p.logHasNot("WARN", "STARTGATE_SIDECAR_STATUS")
			}
		})
	}
}

// An image from scratch has no /etc/hosts and no /etc/resolv.conf. localhost is
// known all the same, and another name is said to be unknown, not waited for in
// silence.
func TestWithoutEtc(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	t.Parallel()
	enterNetwork(t)
	hidden := []string{"unshare", "--mount", "sh", "-ec", `mount -t tmpfs none /etc; exec "$@"`, "sh"}
	startReady(t, agentAddr)
	startReady(t, "[::1]:7000")
	startDate(t, []string{"WAIT_FOR=istio,http://localhost:7000/healthz/ready,tcp://LOCALHOST.:7000"}, hidden...).startedAt()
	p := startDate(t, []string{"WAIT_FOR=tcp://db:5432", inVain}, hidden...)
	p.waitsInVain()
	p.logHas("cannot resolve db: ")
}

// A signal ends the wait, here in the middle of the look for the symptom.
func TestNotInjectedEndedBySignal(t *testing.T) {
	needRoot(t)
	need(t, "ip")
	t.Parallel()
	enterNetwork(t)
	setUp(t, outbound)
	// On a busy machine the signal may come after that look, when date has started or
	// even exited. Then it is tried again.
	for range 20 {
		p := startDate(t, []string{"SIDECAR_STATUS="})
		// It has caught signals before its first connection.
		eventually(p, "a connection to an address that nobody has", func() bool { return connecting(p.pid()) || p.hasExited() })
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		if p.code() == 0 || p.end().Signaled() && p.log.String() != "" {
			continue
		}
		p.ends(128 + int(syscall.SIGTERM))
		if p.out.String() != "" {
			p.Errorf("the application was started")
		}
		return
	}
	t.Error("the signal always came too late")
}

// connecting reports whether a process's network has a connection in SYN_SENT.
func connecting(pid int) bool {
	table, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid)) // of a process that may have exited
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); fields[3] == "02" {
			return true
		}
	}
	return false
}
