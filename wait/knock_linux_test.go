package wait

// This file covers the socket that all knocks of a wait have in common.

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The same socket is refused again and again, and then connects.
func TestKnockSocketIsUsedAgain(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		to := netip.MustParseAddrPort(net.JoinHostPort(host, unusedPort(t)))
		s := newKnockSocket(to)
		knocks := func(want Outcome) {
			t.Helper()
			if answer, ok := s.connect(); !ok || answer.Outcome != want {
				t.Fatalf("%v: %v, %t, want %v", to, answer, ok, want)
			}
		}
		knocks(Refused)
		first := s.fd
		for range 100 {
			knocks(Refused)
		}
		if s.fd != first || first < 0 {
			t.Errorf("%v: the socket is %d, and was %d", to, s.fd, first)
		}
		listener, err := net.Listen("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		knocks(Ready)
		knocks(Ready)
		listener.Close()
		knocks(Refused)
		s.close()
	}
}

// A socket that cannot be used again, as on kernels that are not Linux's, is replaced.
func TestKnockSocketIsReplaced(t *testing.T) {
	to := netip.MustParseAddrPort("127.0.0.1:" + unusedPort(t))
	s := newKnockSocket(to)
	defer s.close()
	for range 3 {
		if answer, ok := s.connect(); !ok || answer.Outcome != Refused {
			t.Fatal(answer, ok)
		}
		if err := unix.Listen(s.fd, 1); err != nil { // then it cannot connect
			t.Fatal(err)
		}
	}
}

// An alarm rings in time, again and again, and the end of its context ends it.
func TestAlarm(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var a alarm
	defer a.close()
	for range 3 {
		began := time.Now()
		if ok := a.sleep(ctx, 20*time.Millisecond); !ok || time.Since(began) < 20*time.Millisecond {
			t.Errorf("%t after %v", ok, time.Since(began))
		}
	}
	_ = a.sleep(ctx, -time.Second)
	time.AfterFunc(20*time.Millisecond, cancel)
	_ = a.sleep(ctx, time.Hour)
	_ = a.sleep(ctx, time.Hour)
	if ctx.Err() == nil {
		t.Error("it rang an hour early")
	}
}

// A knock on a real port ends the longest pause.
func TestForKnocksOnLoopback(t *testing.T) {
	addr := "127.0.0.1:" + unusedPort(t)
	target, err := Parse("tcp://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { listener.Close() })
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last Event
	if err := For(ctx, target, Policy{Max: time.Hour, Observe: func(e Event) { last = e }}); err != nil || !last.Knocked {
		t.Errorf("%v, after %+v", err, last)
	}
}
