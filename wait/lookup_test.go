package wait

// This file covers names: slow and broken name servers, and hosts with several addresses.

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The types of questions (RFC 1035, section 3.2.2, and RFC 3596).
const (
	typeA    = 1
	typeAAAA = 28
)

// nameServer answers questions for an address of one type: with the addresses, none, or,
// when ok is false, not at all.
type nameServer func(kind uint16) (addrs []string, ok bool)

// useNameServer has every name resolved by server, until the end of the test.
func useNameServer(t *testing.T, server nameServer) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		serving sync.WaitGroup
		mu      sync.Mutex
		clients = []net.Conn{} // nil when the test has ended: package net would wait for answers
	)
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if clients == nil {
			return nil, net.ErrClosed
		}
		client, err := (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
		if err == nil {
			clients = append(clients, client)
		}
		return client, err
	}}
	serving.Go(func() {
		question := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			text := append([]byte(nil), question[:n]...)
			serving.Go(func() {
				if answer := server.answer(text); answer != nil {
					_, _ = conn.WriteTo(answer, from)
				}
			})
		}
	})
	t.Cleanup(func() {
		net.DefaultResolver = before
		mu.Lock()
		for _, client := range clients {
			client.Close()
		}
		clients = nil
		mu.Unlock()
		conn.Close()
		serving.Wait()
	})
}

// answer returns the message that answers a question (RFC 1035, section 4), or nil.
func (server nameServer) answer(question []byte) []byte {
	const header = 12
	end := header
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	addrs, ok := server(kind)
	if !ok {
		return nil
	}
	answer := append([]byte(nil), question[:end+5]...)
	answer[2], answer[3] = 0x84, 0                             // a response, authoritative, no error
	binary.BigEndian.PutUint16(answer[6:], uint16(len(addrs))) // answers
	binary.BigEndian.PutUint32(answer[8:], 0)                  // nothing more
	for _, addr := range addrs {
		data := netip.MustParseAddr(addr).AsSlice()
		answer = append(answer, 0xc0, header) // the name of the question
		answer = binary.BigEndian.AppendUint16(answer, kind)
		answer = append(answer, 0, 1, 0, 0, 0, 0) // class IN, not to be kept
		answer = binary.BigEndian.AppendUint16(answer, uint16(len(data)))
		answer = append(answer, data...)
	}
	return answer
}

// waitFor waits for a server at this address by the name db.test, and returns how long that
// took. A probe has attempt.
func waitFor(t *testing.T, addr string, attempt time.Duration) time.Duration {
	t.Helper()
	_, port, _ := net.SplitHostPort(serve(t, net.JoinHostPort(addr, "0"), hang))
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	began := time.Now()
	var answers []string
	policy := Policy{Attempt: attempt, Observe: func(e Event) { answers = append(answers, e.Answer.Detail) }}
	if err := For(ctx, mustParse(t, "tcp://db.test.:"+port), policy); err != nil {
		t.Errorf("%v\n%s", err, strings.Join(answers, "\n"))
	}
	return time.Since(began)
}

// A lookup was once cut by the time of a single probe, and so never came to its end.
func TestSlowNameServer(t *testing.T) {
	useNameServer(t, func(kind uint16) ([]string, bool) {
		time.Sleep(time.Second)
		return map[uint16][]string{typeA: {"127.0.0.1"}}[kind], true
	})
	waitFor(t, "127.0.0.1", 300*time.Millisecond)
}

// Both families were once waited for, so a server that drops one of the two questions, as
// some do with AAAA, made every lookup last longer than a probe.
func TestNameServerThatDropsAFamily(t *testing.T) {
	for kept, addr := range map[uint16]string{typeA: "127.0.0.1", typeAAAA: "::1"} {
		useNameServer(t, func(kind uint16) ([]string, bool) { return []string{addr}, kind == kept })
		if took := waitFor(t, addr, 3*time.Second); took > 4*time.Second {
			t.Errorf("with answers of type %d alone it took %v", kept, took)
		}
	}
}

// A name may move while a target is waited for: to another pod, for one.
func TestNameThatMoves(t *testing.T) {
	var asked atomic.Int64
	useNameServer(t, func(kind uint16) ([]string, bool) {
		if kind != typeA {
			return nil, true
		}
		if asked.Add(1) <= 3 {
			return []string{"127.0.0.9"}, true
		}
		return []string{"127.0.0.1"}, true
	})
	waitFor(t, "127.0.0.1", time.Second)
}

func TestNameWithoutAddresses(t *testing.T) {
	useNameServer(t, func(uint16) ([]string, bool) { return nil, true })
	wantAnswer(t, "tcp://db.test.:80", Failed, "cannot resolve db.test.: no such host")
	useNameServer(t, func(uint16) ([]string, bool) { return nil, false })
	answer := probeWithin(t, brief, mustParse(t, "tcp://db.test.:80"))
	if !matches(answer, Failed, "cannot resolve db.test.: the name server does not answer") || answer.Reach() != NotResolved {
		t.Errorf("without a name server: %v", answer)
	}
}

// Of several addresses, those that are silent do not use up the time of a probe.
func TestSilentAddressesBeforeAGoodOne(t *testing.T) {
	if !inOwnNetwork(t, `ip link add out0 type veth peer name out1
		ip link set out1 up
		ip link set out0 up arp off
		ip addr add 192.0.2.1/24 dev out0`) {
		return
	}
	useNameServer(t, func(kind uint16) ([]string, bool) {
		return map[uint16][]string{typeA: {"192.0.2.7", "192.0.2.8", "127.0.0.1"}}[kind], true
	})
	waitFor(t, "127.0.0.1", time.Second)
}
