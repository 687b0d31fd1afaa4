package tests

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ask asks a port of the pod over its loopback, and returns the status and the body, or
// "refused".
func (n *namespace) ask(pod, container string, port int, path string) string {
	n.Helper()
	pid, err := n.pid(pod, container)
	if err != nil {
		n.Fatal(err)
	}
	answers, failed := make(chan string, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread, which is in the pod, ends with this goroutine
		answer, err := askInside(pid, port, path)
		answers <- answer
		failed <- err
	}()
	answer := <-answers
	if err := <-failed; err != nil {
		n.Fatalf("cannot ask %d%s: %v", port, path, err)
	}
	return answer
}

// askInside moves the calling thread into the network of a process, and asks.
func askInside(pid, port int, path string) (string, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(process)
	if err := unix.Setns(process, unix.CLONE_NEWNET); err != nil {
		return "", err
	}
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 10*time.Second)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "refused", nil
	}
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return response.Status + "\n" + strings.TrimSpace(string(body)), err
}
