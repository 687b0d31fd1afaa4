package wait_test

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

// An application that waits itself, before it opens its first connection.
func ExampleFor() {
	sidecar := httptest.NewServer(http.NotFoundHandler()) // in the place of Istio's agent
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

// What a wait found out is in the error.
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

// Anything that can be asked once can be waited for.
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

// A mistake says what to write instead, and holds no credentials.
func ExampleParse() {
	for _, s := range []string{"istoi", "https://user:secret@db/#sattus=204"} {
		_, err := wait.Parse(s)
		fmt.Println(err)
	}
	// Output:
	// unknown sidecar "istoi": did you mean istio?
	// cannot use target "https://***@db/#sattus=204": unknown option #sattus: did you mean #status?
}
