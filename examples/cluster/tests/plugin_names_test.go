package tests

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// ownResolver makes the pod ask itself for names, as with Istio's DNS capture.
func ownResolver(pod *corev1.Pod) {
	pod.Spec.DNSPolicy = corev1.DNSNone
	pod.Spec.DNSConfig = &corev1.PodDNSConfig{Nameservers: []string{"127.0.0.1"}}
}

// namesResolve answers questions for names in the pod from now on, always with Redis.
func namesResolve(i incident, pod string) {
	i.Helper()
	pid, err := i.pid(pod, "istio-proxy")
	if err != nil {
		i.Fatal(err)
	}
	type listening struct {
		net.PacketConn
		error
	}
	made := make(chan listening, 1)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread, which is in the pod, ends with this goroutine
		conn, err := listenInside(pid)
		made <- listening{conn, err}
	}()
	socket := <-made
	if socket.error != nil {
		i.Fatalf("cannot listen in %s: %v", pod, socket.error)
	}
	i.Cleanup(func() { socket.Close() })
	go answerNames(socket, netip.MustParseAddr(i.redis))
}

// listenInside moves the calling thread into the network of a process, and listens for questions.
func listenInside(pid int) (net.PacketConn, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(process)
	if err := unix.Setns(process, unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	return net.ListenPacket("udp4", "127.0.0.1:53")
}

func answerNames(conn net.PacketConn, addr netip.Addr) {
	query := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(query)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if answer := answerName(query[:n], addr); err == nil && answer != nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

// answerName answers a question for an IPv4 address with addr, and others with nothing found (RFC 1035, 4.1).
func answerName(query []byte, addr netip.Addr) []byte {
	const header = 12
	if len(query) < header {
		return nil
	}
	name := strings.IndexByte(string(query[header:]), 0)
	end := header + name + 5
	if name < 0 || len(query) < end {
		return nil
	}
	answer := append(query[:2:2], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, query[header:end]...)
	if query[end-3] == 1 { // A
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		answer = append(answer, addr.AsSlice()...)
	}
	return answer
}
