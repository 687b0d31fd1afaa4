package main

// These tests cover the search for a hint: when a server is asked for one, and that it does
// not take too long.

import (
	"context"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"strings"
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
		{"http", wait.Answer{Outcome: wait.NotReady, Err: wait.StatusError(400)}, "The server speaks TLS: write https://"},
		{"http", wait.Answer{Outcome: wait.NotReady, Err: wait.StatusError(503)}, ""},
		{"https", wait.Answer{Outcome: wait.NotReady, Err: wait.StatusError(400)}, ""},
		{"redis", wait.Answer{Outcome: wait.Refused}, ""},
	} {
		target, err := wait.Parse(test.scheme + "://" + server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got := hintTLS(t.Context(), waitState{target: target, last: test.last}); got.text != test.want {
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

// What does not listen on a Unix socket is elsewhere than what does not on a port.
func TestHintUnixSocket(t *testing.T) {
	refused, denied := wait.Answer{Outcome: wait.Refused}, wait.Answer{Outcome: wait.Failed, Err: fs.ErrPermission}
	for _, test := range []struct {
		target string
		last   wait.Answer
		want   string
	}{
		{"unix:///s/x", refused, "is the volume with the socket mounted in both containers?"},
		{"unix://@x", refused, "An abstract socket is in its pod's network namespace, and there only while its server runs"},
		{"unix:///s/x", denied, "This user may not write to the socket, or not look into its folder: see their owner and mode, and the pod's fsGroup"},
		{"file:///s/x", denied, "This user may not look into its folder: see the volume's owner and mode, and the pod's fsGroup"},
	} {
		target, err := wait.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := (waitState{target: target, last: test.last}).hint(t.Context()); !strings.HasSuffix(got.text, test.want) {
			t.Errorf("%s, %v: %q, want %q", test.target, test.last, got, test.want)
		}
	}
}

// That a sidecar may not be injected is said only where it is not known to be.
func TestHintOfASidecarThatRefuses(t *testing.T) {
	const (
		waits = " was injected, and does not listen yet: see kubectl describe pod, and the log of its container. " +
			"In an init container it never will: the kubelet starts a classic sidecar after all init containers. "
		port = "The annotation config.linkerd.io/admin-port may have moved port 4191"
		dapr = "daprd may listen on a Unix socket only"
	)
	for _, test := range []struct {
		target string
		injection
		want string
	}{
		{"linkerd", injected, "linkerd" + waits + port},
		{"dapr", injected, "dapr" + waits + dapr},
		{"dapr", unknownInjection, "dapr may not be injected: then the pod has no metadata.labels['dapr.io/sidecar-injected']. " + dapr},
		{"dapr", notInjected, dapr},
	} {
		target, err := wait.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		state := waitState{target: target, last: wait.Answer{Outcome: wait.Refused}, injection: test.injection}
		if got := state.hint(t.Context()); got.text != test.want {
			t.Errorf("%s, %v: %q, want %q", test.target, test.injection, got, test.want)
		}
	}
}
