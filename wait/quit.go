package wait

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// QuitOutcome is what came of telling a sidecar to quit.
type QuitOutcome uint8

// The outcomes. The zero value is none of them.
const (
	QuitAccepted   QuitOutcome = iota + 1 // it answered with a status of 2xx
	QuitRejected                          // it answered with another status
	QuitUnanswered                        // it is there, and gave no answer in time
	QuitGone                              // it had been there, and nothing listens any more
	QuitNeverSeen                         // nothing has listened; it may still start
)

// quitOutcomes has the names that logs and metrics use.
var quitOutcomes = [...]string{QuitAccepted: "accepted", QuitRejected: "rejected", QuitUnanswered: "unanswered", QuitGone: "gone", QuitNeverSeen: "never_seen"}

// String returns the name of the outcome: accepted, rejected, unanswered, gone or
// never_seen.
func (o QuitOutcome) String() string {
	if int(o) < len(quitOutcomes) && quitOutcomes[o] != "" {
		return quitOutcomes[o]
	}
	return fmt.Sprintf("QuitOutcome(%d)", uint8(o))
}

// ParseQuit makes a target for [Quit] of the name of a sidecar (see [Sidecars])
// or an http or https URL of this machine: localhost, 127.0.0.0/8 or ::1. Its
// fragment may have header, and for https ca and insecure, as in [Parse].
//
// getenv returns the value of an environment variable; it is asked for the token
// of a sidecar that wants one ([Sidecar.Token]).
func ParseQuit(s string, getenv func(string) string) (Target, error) {
	s = strings.TrimSpace(s)
	if strings.Contains(s, "://") {
		return parseQuitURL(s)
	}
	sidecar := sidecarNamed(s)
	if sidecar == nil {
		return Target{}, unknownQuit(s)
	}
	target, err := parseQuitURL(sidecar.Quit + tokenOption(sidecar, getenv))
	if err != nil {
		_, variable, _ := strings.Cut(sidecar.Token, ":")
		return Target{}, fmt.Errorf("cannot send the value of %s to %s: it has a line break, or a NUL", variable, s)
	}
	if len(sidecar.Ready) > 0 {
		named, err := parseName(s)
		if err != nil {
			return Target{}, err
		}
		target.Knock = named.Knock // all its ports tell whether it is gone
	}
	target.Name, target.Sidecar = s, sidecar
	return target, nil
}

// ParseQuitList makes targets for [Quit] of a comma-separated list. A comma inside a
// URL is written %2C.
func ParseQuitList(s string, getenv func(string) string) ([]Target, error) {
	return parseList(s, func(item string) (Target, error) { return ParseQuit(item, getenv) })
}

func unknownQuit(name string) error {
	var names []string
	for _, sidecar := range sidecars {
		names = append(names, sidecar.Name)
	}
	switch name {
	case "":
		return errors.New("cannot tell nobody to quit: take away the comma too many")
	case "none":
		return errors.New(`cannot tell "none" to quit: leave the setting out, and nobody is told`)
	}
	return unknownSidecar(name, names, "http://localhost:8080/quitquitquit")
}

// tokenOption returns the header that sidecar wants, as a URL's fragment.
func tokenOption(sidecar *Sidecar, getenv func(string) string) string {
	header, variable, ok := strings.Cut(sidecar.Token, ":")
	token := getenv(variable)
	if !ok || token == "" {
		return ""
	}
	return "#header=" + header + ":" + strings.ReplaceAll(url.PathEscape(token), "&", "%26")
}

func parseQuitURL(s string) (Target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, fmt.Errorf("cannot use %q: %w", redactText(s), urlFault(err))
	}
	scheme := schemes[u.Scheme]
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return Target{}, fmt.Errorf("cannot use %q: a quit is a POST: write http:// or https://", redactText(s))
	case !isLoopback(u.Hostname()):
		return Target{}, fmt.Errorf("cannot use %q: a quit is for this pod only: write localhost for the host", redactText(s))
	}
	known := []string{"header"}
	if secureSchemes[u.Scheme] {
		known = append(known, "ca", "insecure")
	}
	o, err := parseOptions(u, known)
	if err != nil {
		return Target{}, fmt.Errorf("cannot use %q: %w", redactText(s), err)
	}
	e, err := scheme.endpoint(u)
	if err != nil {
		return Target{}, fmt.Errorf("cannot use %q: %w", redactText(s), err)
	}
	p := newHTTPProbe(http.MethodPost, u, o)
	return Target{
		Name: redact(u), Prober: newConversation(u, e, o, http.MethodPost, p.post),
		Knock: []Prober{knock{e}}, own: 1,
	}, nil
}

// post sends the request; the status alone is the answer, as the sidecar may be
// gone before it has sent more.
func (p httpProbe) post(_ context.Context, conn net.Conn) Answer {
	response, _, failed := p.exchange(conn)
	switch {
	case failed != nil:
		return *failed
	case response.StatusCode >= 200 && response.StatusCode < 300:
		return Answer{Ready, fmt.Sprintf("status %d", response.StatusCode), nil}
	}
	return Answer{NotReady, statusText(response, conn.RemoteAddr()), nil}
}

// quitPause is between two tries to connect.
const quitPause = 50 * time.Millisecond

// Quit tells a target of [ParseQuit] to quit, and returns what came of it and the
// last answer that was not cut short by the end of ctx, if any.
//
// It sends one POST, and never another once that is answered. A connection that
// is refused means that the sidecar is gone if it was seen before, in this call or,
// as the caller says, before it; otherwise it may be about to start. Then, and
// when a connection fails, it is tried again until ctx ends.
func Quit(ctx context.Context, target Target, seen bool) (QuitOutcome, Answer) {
	var last Answer
	for {
		answer := target.Prober.Probe(ctx)
		switch {
		case answer.Outcome == Ready:
			return QuitAccepted, answer
		case answer.Outcome == NotReady:
			return QuitRejected, answer
		case answer.Outcome == Refused && seen:
			return QuitGone, answer
		case last.Outcome == 0 || !isPast(ctx): // else the end of ctx spoiled it
			last, seen = answer, seen || answer.Reached()
		}
		select {
		case <-time.After(quitPause):
		case <-ctx.Done():
			if seen {
				return QuitUnanswered, last
			}
			return QuitNeverSeen, last
		}
	}
}

// AwaitGone waits until nothing listens on any port of target, and tells whether
// that was so before ctx ended.
func AwaitGone(ctx context.Context, target Target) bool {
	for {
		if !listens(ctx, target) {
			return ctx.Err() == nil
		}
		select {
		case <-time.After(knockEvery):
		case <-ctx.Done():
			return false
		}
	}
}

func listens(ctx context.Context, target Target) bool {
	for _, port := range target.Knock {
		if port.Probe(ctx).Outcome != Refused {
			return true
		}
	}
	return false
}
