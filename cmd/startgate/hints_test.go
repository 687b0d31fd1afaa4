package main

// These tests cover the search for a hint: when a server is asked for one, and that it does
// not take too long.

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/startgate/startgate/wait"
)

// A server whose answer is not one of the target's protocol may speak TLS. One that answers
// in the protocol is not asked.
func TestHintTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	for _, test := range []struct {
		scheme string
		last   wait.Answer
		want   string
	}{
		{"redis", wait.Answer{Outcome: wait.Failed, Detail: "closed without an answer", Err: io.EOF}, "The server speaks TLS: write rediss://"},
		{"grpc", wait.Answer{Outcome: wait.Failed, Detail: "not a gRPC answer"}, "The server speaks TLS: write grpcs://"},
		{"mysql", wait.Answer{Outcome: wait.Timeout}, "The server speaks TLS: write tcp://HOST:PORT, which waits for its port only"},
		{"http", wait.Answer{Outcome: wait.NotReady, Detail: "GET http://a: status 400"}, "The server speaks TLS: write https://"},
		{"http", wait.Answer{Outcome: wait.NotReady, Detail: "GET http://a: status 503"}, ""},
		{"https", wait.Answer{Outcome: wait.NotReady, Detail: "GET https://a: status 400"}, ""},
		{"redis", wait.Answer{Outcome: wait.Refused}, ""},
	} {
		target, err := wait.Parse(test.scheme + "://" + server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got := hintTLS(t.Context(), waitState{target: target, last: test.last}); got != test.want {
			t.Errorf("%s, %v: %q, want %q", test.scheme, test.last, got, test.want)
		}
	}
}

// Where the status port refuses and the queue of who listens on 15021 is full, the
// hint once took two minutes, and neither STARTGATE_TIMEOUT nor a signal ended that.
func TestHintIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := wait.ProbeFunc(func(ctx context.Context) wait.Answer {
			<-ctx.Done()
			return wait.Answer{Outcome: wait.Timeout}
		})
		target := wait.Target{Sidecar: &wait.Sidecar{EarlyKnock: "localhost:15021"}, EarlyKnock: []wait.Prober{hangs}}
		waitState{target: target, last: wait.Answer{Outcome: wait.Refused}}.hint(context.Background())
	})
}
