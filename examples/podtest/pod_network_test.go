//go:build linux

package podtest

// Helpers: requests to a pod, as a kubelet's probes and scrapes make them.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// answers reports whether a kubelet's probe of a path would succeed.
func (p *pod) answers(name string, port int, path string) bool {
	p.Helper()
	_, err := p.get(name, port, path)
	return err == nil
}

// get requests a path from inside the pod's network, which cannot be reached from
// outside.
func (p *pod) get(name string, port int, path string) (string, error) {
	p.Helper()
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.networkPid(name)))
	if err != nil {
		return "", err
	}
	defer network.Close()
	var text string
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err = unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err == nil {
			text, err = get(fmt.Sprintf("127.0.0.1:%d", port), path)
		}
	}()
	<-done
	return text, err
}

// get requests a path on its own thread, the only one in the pod's network. A client of
// net/http would use others.
func get(addr, path string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// networkPid returns a process in the pod's network: the first one of this container, which
// must not have been restarted. podman is asked only once, because requests are repeated.
func (p *pod) networkPid(name string) int {
	p.Helper()
	if p.pid == 0 {
		p.pid = p.state(name).Pid
	}
	return p.pid
}

// listens reports whether a port of the pod accepts connections.
func (p *pod) listens(name string, port int) bool {
	p.Helper()
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", p.networkPid(name), table))
		// sl local_address rem_address st: 0A is LISTEN
		if err == nil && regexp.MustCompile(fmt.Sprintf(`:%04X [0-9A-F]+:0000 0A `, port)).Match(text) {
			return true
		}
	}
	return false
}
