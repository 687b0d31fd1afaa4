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
	Ready    Outcome = iota + 1 // it is ready
	NotReady                    // it answered, and says that it is not ready
	Refused                     // nothing listens there
	Timeout                     // no whole answer in time
	Failed                      // anything else: a reset, the wrong protocol, no such host
)

// outcomes has the names that logs and metrics use.
var outcomes = [...]string{Ready: "ready", NotReady: "not_ready", Refused: "refused", Timeout: "timeout", Failed: "failed"}

// String returns the name of the outcome: ready, not_ready, refused, timeout or
// failed.
func (o Outcome) String() string {
	if int(o) < len(outcomes) && outcomes[o] != "" {
		return outcomes[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Answer is what one probe found out.
type Answer struct {
	Outcome Outcome
	Detail  string // what was asked and what came back, for a person; no credentials
	Err     error  // the cause, where it was an error; its text may hold what Detail leaves out
}

// Reached tells whether the answer shows that something is there, ready or not: that a
// connection was made, or not refused.
func (a Answer) Reached() bool {
	switch a.Outcome {
	case Ready, NotReady, Timeout:
		return true
	case Failed: // but not without a connection: no such host, too many open files
		var op *net.OpError
		return !errors.As(a.Err, &op) || op.Op != "dial"
	}
	return false
}

// Prober asks once whether something is ready. Probe returns when ctx ends at the
// latest, keeps no connection or goroutine, and never returns Ready after that.
type Prober interface {
	Probe(ctx context.Context) Answer
}

// ProbeFunc is a function as a [Prober].
type ProbeFunc func(context.Context) Answer

// Probe calls f.
func (f ProbeFunc) Probe(ctx context.Context) Answer { return f(ctx) }

// Counts has the number of probes that had each outcome, indexed by [Outcome].
type Counts [len(outcomes)]int

// Total returns the number of all probes.
func (c Counts) Total() int {
	total := 0
	for _, n := range c {
		total += n
	}
	return total
}

// String returns the total and its parts, such as
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

// failure makes an answer of an error, and says what a person needs to know of it.
// Errors of net and net/http name addresses and URLs, which may hold credentials
// and repeat what was asked; only their cause is kept.
func failure(err error) Answer {
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
		return Answer{Failed, "cannot resolve " + dns.Name + ": " + reason(dns), err}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Answer{Timeout, "no answer in time", err}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Answer{Failed, "connection reset", err}
	}
	return Answer{Failed, cause(err).Error(), err}
}

// reason is a resolver's error without the server's address and the name again.
func reason(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host"
	case err.IsTimeout:
		return "the name server does not answer"
	}
	if i := strings.LastIndex(err.Err, ": "); i >= 0 { // after addresses and a port that is another each time
		return "name server: " + err.Err[i+2:]
	}
	return err.Err
}

// cause is err without the layers that name an operation and an address.
func cause(err error) error {
	var (
		op  *net.OpError
		sys *os.SyscallError
	)
	switch {
	case errors.As(err, &op):
		return cause(op.Err)
	case errors.As(err, &sys):
		return sys.Err
	}
	return err
}
