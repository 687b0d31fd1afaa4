// App is the application of the examples: a Service that answers /healthz on :8080, or with
// --work a Job that works for that long and exits.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run() error {
	work := flag.Duration("work", 0, "work for this long and exit; 0: serve until TERM")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	say("starts")
	if *work == 0 {
		return serve(ctx)
	}
	select {
	case <-time.After(*work):
		say("is done")
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not done: %w", context.Cause(ctx))
	}
}

// serve answers requests until ctx ends, and finishes those that have begun.
func serve(ctx context.Context) error {
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
		say("stops")
		return server.Shutdown(context.Background())
	}
}

func say(text string) {
	fmt.Println(time.Now().UTC().Format(time.RFC3339Nano), "app", text)
}
