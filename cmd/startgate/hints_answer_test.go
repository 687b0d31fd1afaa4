package main

// These tests cover the hints for a server that answers, and not as its target waits for.

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/startgate/startgate/exec"
	"github.com/startgate/startgate/wait"
)

// A server that answers something else had no hint, and led to the section about the exit
// code.
func TestHintOfAnAnswer(t *testing.T) {
	untrusted := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for _, test := range []struct {
		target string
		last   wait.Answer
		text   string
		anchor string
	}{
		{"http://127.0.0.1:1/x", wait.Answer{Outcome: wait.NotReady, Err: wait.StatusError(404)}, "is the path right? To take 404 as ready, write #status=404 after the URL", anchorServer},
		{"http://127.0.0.1:1/x", wait.Answer{Outcome: wait.NotReady, Err: wait.StatusError(503)}, "see the server's log, and whether the port is right", anchorServer},
		{"redis://127.0.0.1:1", wait.Answer{Outcome: wait.NotReady, Detail: "LOADING"}, "see the server's log, and whether the port is right", anchorServer},
		{"redis://127.0.0.1:1", wait.Answer{Outcome: wait.Failed, Detail: "not a Redis answer"}, "see the server's log, and whether the port is right", anchorServer},
		{"https://127.0.0.1:1/x", wait.Answer{Outcome: wait.Failed, Err: untrusted}, "", anchorTLS},
		{"https://127.0.0.1:1/x", wait.Answer{Outcome: wait.Failed, Err: tls.RecordHeaderError{}}, "", anchorTLS},
		{"https://127.0.0.1:1/x", wait.Answer{Outcome: wait.Failed, Err: &net.OpError{Op: "remote error", Err: tls.AlertError(116)}}, "", anchorTLS},
		{"redis://127.0.0.1:1", wait.Answer{Outcome: wait.Failed, Err: syscall.EPIPE}, "and does the mesh let this pod reach it?", anchorDropped},
		{"redis://127.0.0.1:1", wait.Answer{Outcome: wait.Failed, Err: syscall.ECONNRESET}, "and does the mesh let this pod reach it?", anchorDropped},
		{"redis://127.0.0.1:1", wait.Answer{Outcome: wait.Failed, Err: io.EOF}, "and does the mesh let this pod reach it?", anchorDropped},
		{"redis://127.0.0.1:1", wait.Answer{Outcome: wait.Timeout}, "and does the mesh let this pod reach it?", anchorDropped},
		{"istio", wait.Answer{Outcome: wait.NotReady, Err: wait.StatusError(404)}, "=none, or wait for what the application needs", anchorNotInjected},
		{"redis://127.0.0.1:1", wait.Answer{Outcome: wait.Ready}, "", ""},
	} {
		got := hintOfAnswer(t, test.target, test.last)
		if !strings.HasSuffix(got.text, test.text) || (got.text == "") != (test.text == "") || got.anchor != test.anchor {
			t.Errorf("%s, %v: %q leads to %q, want %q and %q", test.target, test.last, got.text, got.anchor, test.text, test.anchor)
		}
	}
}

// A driver of a volume that has died was taken for a file that is not written yet.
func TestHintOfADeadFileSystem(t *testing.T) {
	for err, anchor := range map[error]string{
		syscall.ENOTCONN: anchorHeld, syscall.EIO: anchorHeld, syscall.ESTALE: anchorHeld,
		syscall.ENOENT: anchorFile, errors.New("another"): anchorFile,
	} {
		if got := hintOfAnswer(t, "file:///x/y", wait.Answer{Outcome: wait.Failed, Err: err}); got.anchor != anchor {
			t.Errorf("%v leads to %q, want %q", err, got.anchor, anchor)
		}
	}
}

func hintOfAnswer(t *testing.T, name string, last wait.Answer) hint {
	t.Helper()
	target, err := wait.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return waitState{target: target, last: last}.hint(t.Context())
}

// Why a program was not run decides which section of README.md says more.
func TestHintNotRun(t *testing.T) {
	for _, test := range []struct {
		code   int
		cause  error
		text   string
		anchor string
	}{
		{exec.CodeCannotRun, syscall.ESTALE, "The file system does not answer: ", anchorHeld},
		{exec.CodeNotFound, syscall.ENOTCONN, "The file system does not answer: ", anchorHeld},
		{exec.CodeCannotRun, syscall.ETXTBSY, "Something has the file open for writing: ", anchorNotRun},
		{exec.CodeCannotRun, syscall.EAGAIN, "", anchorNotRun},
		{exec.CodeCannotRun, syscall.ENOENT, "The directory /none does not exist: ", anchorNotRun},
		{exec.CodeNotFound, syscall.EACCES, "", anchorNotRun}, // it is another fault by now
	} {
		got := hintNotRun("/none/app", &exec.ExitError{Code: test.code, Err: test.cause})
		if !strings.HasPrefix(got.text, test.text) || (got.text == "") != (test.text == "") || got.anchor != test.anchor {
			t.Errorf("%d, %v: %q leads to %q, want %q and %q", test.code, test.cause, got.text, got.anchor, test.text, test.anchor)
		}
	}
}
