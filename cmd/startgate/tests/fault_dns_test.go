//go:build linux

package tests

// Faults: names that are resolved late or not at all.

import (
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// resolver answers every question with 127.0.0.1, so late; below 0 it does not. It
// returns a command that starts another with this name server.
func resolver(t testing.TB, late *delay) []string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for {
			question := make([]byte, 512)
			n, from, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			if by := time.Duration(late.Load()); by >= 0 {
				time.AfterFunc(by, func() { _, _ = conn.WriteTo(dnsAnswer(question[:n]), from) })
			}
		}
	}()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver 127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"unshare", "--mount", "sh", "-ec", `mount --bind "$0" /etc/resolv.conf; exec "$@"`, file}
}

// dnsAnswer is a message for a question (RFC 1035, section 4.1): its name has the
// address 127.0.0.1, and none of IPv6.
func dnsAnswer(question []byte) []byte {
	const head, typeA = 12, 1
	end := head
	for end < len(question)-5 && question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 5 // the name's last byte, type and class
	message := append([]byte{}, question[:end]...)
	copy(message[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if question[end-3] == typeA {
		message[7] = 1
		message = append(message, 0xc0, head, 0, typeA, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
	}
	return message
}

// delay is a duration that may be changed while it is used.
type delay struct{ atomic.Int64 }

func delayed(by time.Duration) *delay {
	d := &delay{}
	d.Store(int64(by))
	return d
}

func slowDNS(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	const target = "WAIT_FOR=tcp://db.test:7000"
	const says = "cannot resolve db.test: the name server does not answer"
	t.Run("in time", func(t *testing.T) {
		t.Parallel()
		enterNetwork(t)
		listenOn(t, "127.0.0.1:7000")
		began := time.Now()
		p := startFault(t, []string{target}, resolver(t, delayed(2*time.Second))...)
		p.runsOnce()
		if took := time.Since(began); took < 2*time.Second {
			t.Errorf("the name was resolved after %v", took)
		}
	})
	t.Run("later than one probe waits", func(t *testing.T) {
		t.Parallel()
		enterNetwork(t)
		listenOn(t, "127.0.0.1:7000")
		p := startFault(t, []string{target, "ATTEMPT_TIMEOUT=300ms"}, resolver(t, delayed(2*time.Second))...)
		p.untilLog("answer=\"connect tcp://db.test:7000: " + says)
		p.runsOnce()
	})
	t.Run("never", func(t *testing.T) {
		t.Parallel()
		enterNetwork(t)
		p := startFault(t, []string{target, "ATTEMPT_TIMEOUT=300ms", "TIMEOUT=1s"}, resolver(t, delayed(-1))...)
		p.ends(codeTimeout)
		p.logHas(says, `hint="Names cannot be resolved: check the name, /etc/resolv.conf and the cluster's DNS`, "not ready after 1")
	})
	t.Run("too late, and then nobody listens", func(t *testing.T) {
		t.Parallel()
		enterNetwork(t)
		late := delayed(time.Second)
		p := startFault(t, []string{target, "ATTEMPT_TIMEOUT=300ms", "TIMEOUT=5s"}, resolver(t, late)...)
		p.untilLog(says)
		late.Store(0)
		p.ends(codeTimeout)
		p.logHas("connection refused", `hint="Nothing listens there`) // and not that it had answered before
	})
	t.Run("ended in the middle", func(t *testing.T) {
		t.Parallel()
		enterNetwork(t)
		p := startFault(t, []string{target, "ATTEMPT_TIMEOUT=1m"}, resolver(t, delayed(-1))...)
		p.untilLog("waiting for")
		p.stopsWaiting()
	})
}
