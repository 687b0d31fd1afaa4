package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/startgate/startgate/wait"
)

// hintTLS is for a server that speaks TLS and is asked without. It does not give an answer
// of the target's protocol, except for web servers, which answer 400.
func hintTLS(ctx context.Context, s waitState) hint {
	var status wait.StatusError
	errors.As(s.last.Err, &status)
	if s.last.Reach() != wait.Connected || s.last.Outcome == wait.NotReady && status != http.StatusBadRequest {
		return hint{}
	}
	instead := s.target.AskTLS(ctx)
	if instead == "" {
		return hint{}
	}
	return hint{"The server speaks TLS: write " + instead, anchorTLS}
}

// hintDropped is for a proxy that accepts a connection in the place of a server that
// does not answer.
func hintDropped(_ context.Context, s waitState) hint {
	isReset := errors.Is(s.last.Err, syscall.ECONNRESET) || errors.Is(s.last.Err, syscall.EPIPE)
	if s.last.Reach() != wait.Connected || s.last.Outcome != wait.Timeout && !isReset && !errors.Is(s.last.Err, io.EOF) {
		return hint{}
	}
	return hint{"The connection is accepted and comes to nothing: in a mesh the proxy accepts it in the server's place. " +
		"Is the server running, and does the mesh let this pod reach it?", anchorDropped}
}

// hintAnswer is for a server that gives an answer, and not the one that its target waits for.
func hintAnswer(_ context.Context, s waitState) hint {
	var status wait.StatusError
	switch {
	case s.last.Outcome == wait.Ready, s.last.Reach() != wait.Connected:
		return hint{}
	case isTLSFault(s.last.Err):
		return hint{anchor: anchorTLS} // the answer says what to do
	case errors.As(s.last.Err, &status) && status < http.StatusInternalServerError:
		return hint{fmt.Sprintf("The server answers with another status: is the path right? To take %d as ready, write #status=%[1]d after the URL", int(status)), anchorServer}
	}
	return hint{"This is not the answer that is waited for: see the server's log, and whether the port is right", anchorServer}
}

// isTLSFault reports whether the two sides did not agree about TLS, or the server about the
// certificate that it did not get (an alert, which is package net's remote error).
func isTLSFault(err error) bool {
	var op *net.OpError
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.As(err, &op) && op.Op == "remote error"
}
