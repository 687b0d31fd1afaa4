package wait

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// Outcome is the kind of answer that a probe got.
type Outcome uint8

// The outcomes. The zero value is none of them.
const (
	Ready    Outcome = iota + 1 // the target is ready
	NotReady                    // the target answered that it is not ready
	Refused                     // nothing listens at the target's address
	Timeout                     // no complete answer in time
	Failed                      // anything else: a reset, the wrong protocol, no such host
)

// outcomes holds the names for logs and metrics.
var outcomes = [...]string{Ready: "ready", NotReady: "not_ready", Refused: "refused", Timeout: "timeout", Failed: "failed"}

// String returns the name of the outcome: ready, not_ready, refused, timeout or
// failed.
func (o Outcome) String() string {
	if int(o) < len(outcomes) && outcomes[o] != "" {
		return outcomes[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Answer is the result of one probe.
type Answer struct {
	Outcome Outcome
	Detail  string // the request and the reply in words, for the user; never holds credentials
	Err     error  // the cause, or nil when there was no error; its text may hold credentials
}

// Reach is how far a probe came.
type Reach uint8

// How far a probe came. The zero value is none of them.
const (
	NotTried     Reach = iota + 1 // an error of this machine, such as too many open files or no permission
	NotResolved                   // the host's name has no address
	NotRouted                     // there is no way to the address (EHOSTUNREACH, ENETUNREACH)
	NotAnswered                   // nobody answered: neither accepted nor refused the connection
	NotListening                  // the connection was refused, or the socket does not exist
	Connected                     // something is there, ready or not
)

// Reach returns how far the probe came, by its outcome and its cause. An answer of
// somebody else's [Prober] counts as Connected, except when it is Refused or has an error
// of package net that says otherwise.
func (a Answer) Reach() Reach {
	var op *net.OpError
	isDial := errors.As(a.Err, &op) && op.Op == "dial"
	switch {
	case a.Outcome == Ready, a.Outcome == NotReady:
		return Connected
	case a.Outcome == Refused:
		return NotListening
	case errors.As(a.Err, new(*net.DNSError)):
		return NotResolved
	case isDial && a.Outcome == Timeout:
		return NotAnswered
	case isDial && (errors.Is(a.Err, syscall.EHOSTUNREACH) || errors.Is(a.Err, syscall.ENETUNREACH)):
		return NotRouted
	case isDial:
		return NotTried
	}
	return Connected
}

// Prober asks once whether something is ready.
//
// Probe must return when ctx ends, must not return Ready after that, and must leave no
// connection and no goroutine behind.
type Prober interface {
	Probe(ctx context.Context) Answer
}

// ProbeFunc makes a function a [Prober].
type ProbeFunc func(context.Context) Answer

// Probe calls f.
func (f ProbeFunc) Probe(ctx context.Context) Answer { return f(ctx) }

// Counts holds the number of probes per outcome, indexed by [Outcome].
type Counts [len(outcomes)]int

// Total returns the number of all probes.
func (c Counts) Total() int {
	total := 0
	for _, n := range c {
		total += n
	}
	return total
}

// String returns the total and the count of each outcome, such as
// "36 probes (30 refused, 6 not_ready)".
func (c Counts) String() string {
	var parts []string
	for outcome, n := range c {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, Outcome(outcome)))
		}
	}
	noun := "probes"
	if c.Total() == 1 {
		noun = "probe"
	}
	if len(parts) == 0 {
		return "0 probes"
	}
	return fmt.Sprintf("%d %s (%s)", c.Total(), noun, strings.Join(parts, ", "))
}

// answerFromError returns the answer for a probe that ended with err. Errors of net and
// net/http name addresses and URLs, which may hold credentials and repeat the request, so
// the detail holds only their root cause.
func answerFromError(err error) Answer {
	var (
		dns     *net.DNSError
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the file of a Unix socket
		return Answer{Refused, "it does not exist", err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Answer{Refused, "connection refused", err}
	case errors.As(err, &dns):
		return Answer{Failed, "cannot resolve " + dns.Name + ": " + dnsReason(dns), err}
	case errors.Is(err, errHeld):
		return Answer{Timeout, errHeld.Error(), err}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		answer := Answer{Timeout, "no answer in time", err}
		if answer.Reach() == NotAnswered {
			answer.Detail = "no answer to the connection attempt"
		}
		return answer
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Answer{Failed, "connection reset", err}
	}
	return Answer{Failed, rootCause(err).Error(), err}
}

// dnsReason returns the text of a resolver's error without the name server's address and
// without the name that was looked up.
func dnsReason(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host"
	case err.IsTimeout:
		return "the name server does not answer"
	}
	if i := strings.LastIndex(err.Err, ": "); i >= 0 { // skips addresses and a local port, which differ each time
		return "name server: " + err.Err[i+2:]
	}
	return err.Err
}

// rootCause returns err without the layers that name an operation, an address or a path.
func rootCause(err error) error {
	var (
		op   *net.OpError
		sys  *os.SyscallError
		file *fs.PathError
	)
	switch {
	case errors.As(err, &op):
		return rootCause(op.Err)
	case errors.As(err, &sys):
		return sys.Err
	case errors.As(err, &file):
		return file.Err
	}
	return err
}
