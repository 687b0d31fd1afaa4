//go:build linux

package tests

// What it means that a target is ready behind a redirecting proxy, with a real one.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// istioInit are the rules that istio-init adds for outbound traffic, in order
// (istio/istio, tools/istio-iptables/pkg/capture/run.go, with its defaults).
const istioInit = `
iptables -t nat -N ISTIO_REDIRECT
iptables -t nat -N ISTIO_IN_REDIRECT
iptables -t nat -N ISTIO_OUTPUT
iptables -t nat -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
iptables -t nat -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
iptables -t nat -A OUTPUT -j ISTIO_OUTPUT
iptables -t nat -A ISTIO_OUTPUT -o lo -s 127.0.0.6/32 -j RETURN
for owner in '--uid-owner 1337' '--gid-owner 1337'; do
  iptables -t nat -A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp ! --dport 15008 -m owner $owner -j ISTIO_IN_REDIRECT
  iptables -t nat -A ISTIO_OUTPUT -o lo -m owner ! $owner -j RETURN
  iptables -t nat -A ISTIO_OUTPUT -m owner $owner -j RETURN
done
iptables -t nat -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
iptables -t nat -A ISTIO_OUTPUT -j ISTIO_REDIRECT
`

// mesh is a pod whose outbound traffic is redirected, and a host outside it. The
// calling goroutine is in the pod.
type mesh struct {
	testing.TB
	dir     string
	outside string // a process in the network of the host
}

// An address that the host has, and one that no host has.
const (
	hostAddr   = "10.10.0.2"
	nobodyAddr = "10.10.0.77"
)

func newMesh(t testing.TB) *mesh {
	t.Helper()
	needRoot(t)
	need(t, "ip", "iptables", "nsenter", "sleep")
	enterNetwork(t)
	holder := exec.Command("sleep", "infinity")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	m := &mesh{TB: t, dir: t.TempDir()}
	m.outside = fmt.Sprint(start(t, holder).pid())
	setUp(t, `
ip link add out0 type veth peer name in0 netns `+m.outside+`
ip address add 10.10.0.1/24 dev out0
ip link set out0 up
nsenter --target `+m.outside+` --net sh -ec '
  ip link set lo up
  ip address add `+hostAddr+`/24 dev in0
  ip link set in0 up'
`+istioInit)
	return m
}

// startProxy starts haproxy in the place of Envoy: as the proxy's user, it sends
// every connection on to where it was meant to go.
func (m *mesh) startProxy() {
	m.Helper()
	need(m, "haproxy")
	dir, err := os.MkdirTemp("", "startgate") // a test's own could not be read by that user
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "haproxy.cfg")
	text := `
listen outbound
  bind 127.0.0.1:15001
  mode tcp
  timeout connect 2s
  timeout client 10s
  timeout server 10s
  retries 0
  server original 0.0.0.0
`
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(config, []byte(text), 0o644)); err != nil {
		m.Fatal(err)
	}
	proxy := exec.Command("haproxy", "-db", "-f", config)
	proxy.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1337, Gid: 1337}}
	start(m, proxy)
}

// startRedis starts a server on the host outside.
func (m *mesh) startRedis() {
	m.Helper()
	need(m, "redis-server")
	start(m, exec.Command("nsenter", "--target", m.outside, "--net",
		"redis-server", "--bind", hostAddr, "--protected-mode", "no", "--save", "", "--dir", m.dir))
}

// Behind a redirect, a tcp:// target is ready as soon as the proxy listens, whatever is
// outside. The targets of the other schemes are ready when the server is.
func TestRedirect(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	const redis = "redis://" + hostAddr + ":6379"

	tcp := startDate(t, []string{"WAIT_FOR=tcp://" + hostAddr + ":6379,tcp://" + nobodyAddr + ":1", "TIMEOUT=20s"})
	inVain := startDate(t, []string{"WAIT_FOR=" + redis, inVain})
	tcp.untilLog("connection refused")
	inVain.untilLog("connection refused")
	m.startProxy()
	tcp.startedAt() // though nothing is there

	early := startDate(t, []string{"WAIT_FOR=tcp://" + hostAddr + ":6379," + redis, "TIMEOUT=20s"})
	early.untilLog("tcp://" + hostAddr + ":6379 is ready")
	early.untilLog(`answer="PING ` + redis + ": c") // closed, or connection reset
	inVain.waitsInVain()
	for _, scheme := range []string{"postgres", "mysql", "grpc"} {
		startDate(t, []string{"WAIT_FOR=" + scheme + "://" + hostAddr + ":6379", "TIMEOUT=200ms"}).waitsInVain()
	}

	began := time.Now()
	m.startRedis()
	early.startsAfter(began)
	early.logHasNot("connection refused") // as if the proxy did not listen
	startDate(t, []string{"WAIT_FOR=" + redis, "TIMEOUT=20s"}).startedAt()
}
