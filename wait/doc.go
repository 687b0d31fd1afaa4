// Package wait waits until something that a program needs is ready: the proxy in
// its pod, a database, a file.
//
// Use it in an application that does its own waiting, where the startgate
// binary cannot be put in front of it:
//
//	target, err := wait.Parse("istio")
//	…
//	ctx, cancel := context.WithTimeout(ctx, time.Minute)
//	defer cancel()
//	err = wait.For(ctx, target, wait.Policy{})
//
// [Parse] knows sidecars by name (see [Sidecars]) and everything else by URL.
// [For] probes one target until it is ready, with a pause that grows, and knocks
// on loopback addresses that refuse, so that it knows within milliseconds when
// the wait may be over without troubling a sidecar that is still starting.
//
// Nothing here reads the environment, logs, or holds a connection or a goroutine
// beyond a call.
package wait
