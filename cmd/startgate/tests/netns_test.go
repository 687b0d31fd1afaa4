//go:build linux

package tests

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The tests here and in handover_test.go run the real binary in network
// namespaces, where the name istio and its ports can be used and traffic can be
// redirected as in a pod.

// enterNetwork moves the calling goroutine to a thread in a network namespace of
// its own: what the goroutine itself listens on and the processes that it starts
// are in there.
func enterNetwork(t testing.TB) {
	t.Helper()
	need(t, "root")
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

// Istio's addresses.
const (
	agentAddr  = "127.0.0.1:15020"
	healthAddr = "127.0.0.1:15021" // where startgate knocks
	proxyAddr  = "0.0.0.0:15001"   // where the redirect goes
)

// sidecar stands in for Istio's agent.
type sidecar struct {
	readyAt  atomic.Int64 // in Unix nanoseconds; 0 is never
	requests atomic.Int64
	servers  []*http.Server
}

func (s *sidecar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	at := s.readyAt.Load()
	switch {
	case r.URL.Path != "/healthz/ready":
		w.WriteHeader(http.StatusNotFound)
	case at == 0 || time.Now().UnixNano() < at:
		http.Error(w, "config not received from XDS server", http.StatusServiceUnavailable)
	}
}

// getsReady makes s say so in a while, and returns when.
func (s *sidecar) getsReady(in time.Duration) time.Time {
	at := time.Now().Add(in)
	s.readyAt.Store(at.UnixNano())
	return at
}

// listen makes s answer on addr. It must be called by the goroutine that is in
// the network namespace.
func (s *sidecar) listen(t testing.TB, addr string) {
	t.Helper()
	listener := listenOn(t, addr)
	server := &http.Server{Handler: s}
	go server.Serve(listener)
	s.servers = append(s.servers, server)
	t.Cleanup(s.stop)
}

// stop ends all its servers.
func (s *sidecar) stop() {
	for _, server := range s.servers {
		server.Close()
	}
}

// listenOn makes the kernel accept connections to addr.
func listenOn(t testing.TB, addr string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// run is startgate, started in front of date, which tells when it began.
type run struct {
	testing.TB
	cmd    *exec.Cmd
	began  time.Time
	stdout bytes.Buffer
	log    journal
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// startGate starts startgate with these settings, without the prefix, and no
// others. through is a command that starts it, if any.
func startGate(t testing.TB, settings []string, through ...string) *run {
	t.Helper()
	need(t, "date")
	argv := append(through, binary, "--", "date", "+%s%N")
	r := &run{TB: t, cmd: exec.CommandContext(t.Context(), argv[0], argv[1:]...)}
	r.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, setting := range settings {
		r.cmd.Env = append(r.cmd.Env, "STARTGATE_"+setting)
	}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.log
	r.began = time.Now()
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// until waits until the log has this text.
func (r *run) until(text string) {
	r.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(r.log.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("the log never says %q:\n%s", text, &r.log)
		}
	}
}

// code waits for the end and returns the exit code.
func (r *run) code() int {
	r.Helper()
	var exit *exec.ExitError
	if err := r.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		r.Fatal(err)
	}
	return r.cmd.ProcessState.ExitCode()
}

// started waits for the application and returns when it started.
func (r *run) started() time.Time {
	r.Helper()
	code := r.code()
	at, err := strconv.ParseInt(strings.TrimSpace(r.stdout.String()), 10, 64)
	if code != 0 || err != nil {
		r.Fatalf("the application did not start: code %d, %v\n%s", code, err, &r.log)
	}
	return time.Unix(0, at)
}

// waitsInVain waits for the end, which must be that the time was up.
func (r *run) waitsInVain() {
	r.Helper()
	if code := r.code(); code != codeTimeout || r.stdout.Len() > 0 {
		r.Errorf("code %d and output %q, want %d and none\n%s", code, &r.stdout, codeTimeout, &r.log)
	}
}

// says checks that the log has these texts and none of the others.
func (r *run) says(has, hasNot []string) {
	r.Helper()
	for _, text := range has {
		if !strings.Contains(r.log.String(), text) {
			r.Errorf("the log does not say %q:\n%s", text, &r.log)
		}
	}
	for _, text := range hasNot {
		if strings.Contains(r.log.String(), text) {
			r.Errorf("the log says %q:\n%s", text, &r.log)
		}
	}
}

// inVain is a time-out after which a test knows that startgate goes on waiting,
// and soon what it means by at once.
const (
	inVain = "TIMEOUT=1s"
	soon   = 1200 * time.Millisecond // half a second for the symptom, on a busy machine
)

const (
	skips     = `istio is not waited for: the pod is not injected (STARTGATE_SIDECAR_STATUS is empty)`
	although  = `the pod seems to have istio although STARTGATE_SIDECAR_STATUS is empty: `
	answering = although + "its port answers"
	symptom   = although + "outbound traffic is redirected to a proxy that does not listen"
)

// The annotation is set and empty: there is no sidecar, unless something shows
// that there is.
func TestNotInjected(t *testing.T) {
	need(t, "root", "ip", "iptables")
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
		{"redirected to nobody", redirect, nil, true, []string{symptom, "WARN"}, []string{skips}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, test.setup)
			for _, addr := range test.listens {
				listenOn(t, addr)
			}
			r := startGate(t, []string{"SIDECAR_STATUS=", inVain})
			if test.waits {
				r.waitsInVain()
			} else if took := r.started().Sub(r.began); took > soon {
				t.Errorf("started after %v\n%s", took, &r.log)
			}
			r.says(test.has, test.hasNot)
		})
	}
}

// What was warned of comes up, and was worth the wait.
func TestNotInjectedAndReady(t *testing.T) {
	need(t, "root", "ip", "iptables")
	for _, setup := range []string{"", redirect} {
		t.Run(fmt.Sprintf("redirected %t", setup != ""), func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, setup)
			var agent sidecar
			if setup == "" {
				agent.listen(t, agentAddr)
			}
			r := startGate(t, []string{"SIDECAR_STATUS="})
			r.until("istio is not ready yet")
			if setup != "" {
				agent.listen(t, agentAddr)
			}
			r.until("status 503")
			ready := agent.getsReady(0)
			if at := r.started(); at.Before(ready) {
				t.Errorf("started %v too early", ready.Sub(at))
			}
		})
	}
}

// Only the name istio is skipped: other targets are waited for in every case, and
// so is Istio's address when it is given as such.
func TestNotInjectedOtherTargets(t *testing.T) {
	need(t, "root")
	for _, list := range []string{"http://localhost:15020/healthz/ready", "istio,tcp://127.0.0.1:7000", "tcp://127.0.0.1:7000,istio"} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			startGate(t, []string{"SIDECAR_STATUS=", "WAIT_FOR=" + list, inVain}).waitsInVain()
		})
	}
}

// A program whose queue of connections is full is a sign too, and the look for one
// takes no longer than a probe: the kernel alone would try for two minutes.
func TestNotInjectedQueueFull(t *testing.T) {
	need(t, "root")
	t.Parallel()
	enterNetwork(t)
	fillQueue(t, 15020)
	r := startGate(t, []string{"SIDECAR_STATUS=", "ATTEMPT_TIMEOUT=300ms", inVain})
	r.waitsInVain()
	if took := time.Since(r.began); took > 3*soon {
		t.Errorf("ended after %v", took)
	}
	r.says([]string{answering}, []string{skips})
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
	need(t, "root")
	t.Parallel()
	enterNetwork(t)
	r := startGate(t, []string{inVain})
	r.waitsInVain()
	r.says([]string{"cannot start date: istio not ready after ", "connection refused", "nothing is redirected: "},
		[]string{"WARN"})
}

// The same, where the symptom tells that there is a sidecar.
func TestInjectionUnknownRedirected(t *testing.T) {
	need(t, "root", "ip", "iptables")
	t.Parallel()
	enterNetwork(t)
	setUp(t, redirect)
	r := startGate(t, []string{inVain})
	r.waitsInVain()
	r.says([]string{"Outbound traffic is redirected to a proxy that does not listen"}, []string{"Nothing is redirected"})
}

// ABSENT_AFTER gives up a sidecar that shows no sign, and no other.
func TestAbsentAfter(t *testing.T) {
	need(t, "root", "ip", "iptables")
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
		{"nothing there but an annotation", "", nil, `SIDECAR_STATUS={"containers":["istio-proxy"]}`, false},
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
			settings := []string{"ABSENT_AFTER=" + after.String(), inVain}
			if test.status != "" {
				settings = append(settings, test.status)
			}
			r := startGate(t, settings)
			if test.waits {
				r.waitsInVain()
				r.says(nil, []string{absent})
				return
			}
			if took := r.started().Sub(r.began); took < after || took > after+soon {
				t.Errorf("started after %v, want %v\n%s", took, after, &r.log)
			}
			r.says([]string{absent, "after=" + after.String()}, []string{"WARN", "ERROR"})
		})
	}
}

// A sidecar that comes up before ABSENT_AFTER is not absent, however long it then
// takes to get ready, and also when it stops for a while.
func TestAbsentAfterPresent(t *testing.T) {
	need(t, "root")
	t.Parallel()
	enterNetwork(t)
	var agent sidecar
	const after = 600 * time.Millisecond
	r := startGate(t, []string{"ABSENT_AFTER=" + after.String(), "ATTEMPT_TIMEOUT=300ms"})
	r.until("connection refused")
	agent.listen(t, agentAddr)
	r.until("status 503")
	agent.stop()
	time.Sleep(time.Until(r.began.Add(after + after/2))) // what is tested is that nothing happens by then
	agent.listen(t, agentAddr)
	ready := agent.getsReady(0)
	if at := r.started(); at.Before(ready) {
		t.Errorf("started %v too early\n%s", ready.Sub(at), &r.log)
	}
	r.says(nil, []string{"absent"})
}

// An absent sidecar is no reason not to wait for the others.
func TestAbsentAfterOtherTargets(t *testing.T) {
	need(t, "root")
	t.Parallel()
	enterNetwork(t)
	r := startGate(t, []string{"WAIT_FOR=istio,tcp://127.0.0.1:7000", "ABSENT_AFTER=100ms", inVain})
	r.waitsInVain()
	r.says([]string{"istio is absent", "tcp://127.0.0.1:7000 not ready"}, nil)
}

// The annotation of an injected pod: whatever it says, startgate waits, and warns
// when it does not understand it.
func TestSidecarStatus(t *testing.T) {
	need(t, "root")
	const (
		classic = `{"revision":"default","initContainers":["istio-init"],"containers":["istio-proxy"],"volumes":["istio-envoy"],"imagePullSecrets":null}`
		native  = `{"revision":"default","initContainers":["istio-init","istio-proxy"],"containers":null,"volumes":["istio-envoy"]}`
		warning = "STARTGATE_SIDECAR_STATUS is not the annotation sidecar.istio.io/status of an injected pod; waiting as if it were"
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
			var agent sidecar
			agent.listen(t, agentAddr)
			r := startGate(t, []string{"SIDECAR_STATUS=" + test.status})
			r.until("status 503")
			ready := agent.getsReady(0)
			if at := r.started(); at.Before(ready) {
				t.Errorf("started %v too early", ready.Sub(at))
			}
			if test.warns {
				r.says([]string{warning, "WARN"}, nil)
			} else {
				r.says(nil, []string{"WARN", "STARTGATE_SIDECAR_STATUS"})
			}
		})
	}
}

// An image from scratch has no /etc/hosts and no /etc/resolv.conf. localhost is
// known all the same, and another name is said to be unknown, not waited for in
// silence.
func TestWithoutEtc(t *testing.T) {
	need(t, "root", "unshare", "mount")
	t.Parallel()
	enterNetwork(t)
	hidden := []string{"unshare", "--mount", "sh", "-ec", `mount -t tmpfs none /etc; exec "$@"`, "sh"}
	var agent sidecar
	agent.getsReady(0)
	agent.listen(t, agentAddr)
	agent.listen(t, "[::1]:7000")

	r := startGate(t, []string{"WAIT_FOR=istio,http://localhost:7000/healthz/ready,tcp://LOCALHOST.:7000", inVain}, hidden...)
	r.started()
	r = startGate(t, []string{"WAIT_FOR=tcp://db:5432", inVain}, hidden...)
	r.waitsInVain()
	r.says([]string{"cannot resolve db: "}, nil)
}

// A signal ends the wait, here in the middle of the look for the symptom.
func TestNotInjectedEndedBySignal(t *testing.T) {
	need(t, "root", "ip")
	t.Parallel()
	enterNetwork(t)
	setUp(t, outbound)
	r := startGate(t, []string{"SIDECAR_STATUS="})
	// It has caught signals before its first connection, to nobody's addresses.
	for deadline := time.Now().Add(patience); !connecting(t, r.cmd.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no connection to nobody's addresses")
		}
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := r.code(); code != 128+int(syscall.SIGTERM) || r.stdout.Len() > 0 {
		t.Errorf("code %d, output %q\n%s", code, &r.stdout, &r.log)
	}
}

// connecting tells whether a process's network has a connection in SYN_SENT.
func connecting(t testing.TB, pid int) bool {
	t.Helper()
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); fields[3] == "02" {
			return true
		}
	}
	return false
}
