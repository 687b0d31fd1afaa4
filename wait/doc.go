// Package wait waits until something that a program needs is ready: the proxy in its pod, a
// database, a file.
//
// Use it in a program that does its own waiting, where the startgate binary cannot be put
// in front of it:
//
//	target, err := wait.Parse("istio")
//	…
//	ctx, cancel := context.WithTimeout(ctx, time.Minute)
//	defer cancel()
//	err = wait.For(ctx, target, wait.Policy{})
//
// [Parse] knows sidecars by name (see [Sidecars]) and everything else by URL. [For] probes
// one target until it is ready, with pauses that grow. During a pause it knocks on the
// target's loopback ports that refuse connections, and so notices within milliseconds when
// the target has started, without sending requests to it. [Quit] shuts a sidecar down.
//
// The package reads no environment variables, and keeps no connection and no goroutine after
// a call has returned. It writes no log. Only net/http, which it uses for gRPC, writes a line
// to the standard logger of package log when a server breaks the rules of HTTP/2, and offers
// no way to keep it from that.
package wait
