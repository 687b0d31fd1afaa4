package wait_test

// This file holds the examples of the package's documentation.

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/startgate/startgate/wait"
)

// An application waits before it opens its first connection.
func ExampleFor() {
	sidecar := httptest.NewServer(http.NotFoundHandler()) // stands for Istio's agent
	defer sidecar.Close()

	target, err := wait.Parse(sidecar.URL + "/healthz/ready#status=404")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := wait.For(ctx, target, wait.Policy{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	// Output: ready
}

// The error holds the result of the wait.
func ExampleTimeoutError() {
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "draining", http.StatusServiceUnavailable)
	}))
	defer sidecar.Close()
	target, _ := wait.Parse(sidecar.URL)

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := wait.For(ctx, target, wait.Policy{})

	var timeout *wait.TimeoutError
	if errors.As(err, &timeout) {
		fmt.Println(timeout.Last.Outcome, strings.TrimPrefix(timeout.Last.Detail, "GET "+sidecar.URL))
	}
	// Output: not_ready : status 503: "draining"
}

// A function can be a target.
func ExampleProbeFunc() {
	asked := 0
	target := wait.Target{Name: "the third time", Prober: wait.ProbeFunc(func(context.Context) wait.Answer {
		if asked++; asked < 3 {
			return wait.Answer{Outcome: wait.NotReady, Detail: "not yet"}
		}
		return wait.Answer{Outcome: wait.Ready}
	})}
	err := wait.For(context.Background(), target, wait.Policy{})
	fmt.Println(err, asked)
	// Output: <nil> 3
}

// Errors say what to write instead, and show nothing of what may hold credentials.
func ExampleParse() {
	for _, s := range []string{"istoi", "https://user:secret@db/#sattus=204"} {
		_, err := wait.Parse(s)
		fmt.Println(err)
	}
	// Output:
	// cannot use target: unknown name: did you mean istio?
	// cannot use target: unknown option: did you mean #status?
}
