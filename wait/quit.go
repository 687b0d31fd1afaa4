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

// QuitOutcome is the result of a shutdown request.
type QuitOutcome uint8

// The outcomes. The zero value is none of them.
const (
	QuitAccepted   QuitOutcome = iota + 1 // it answered with a 2xx status
	QuitRejected                          // it answered with another status, or refuses connections while another port of it answers
	QuitUnanswered                        // it is running but gave no answer in time
	QuitGone                              // it was running before, and nothing listens any more
	QuitNeverSeen                         // nothing has listened yet; it may still start
)

// quitOutcomes holds the names for logs and metrics.
var quitOutcomes = [...]string{QuitAccepted: "accepted", QuitRejected: "rejected", QuitUnanswered: "unanswered", QuitGone: "gone", QuitNeverSeen: "never_seen"}

// String returns the name of the outcome: accepted, rejected, unanswered, gone or
// never_seen.
func (o QuitOutcome) String() string {
	if int(o) < len(quitOutcomes) && quitOutcomes[o] != "" {
		return quitOutcomes[o]
	}
	return fmt.Sprintf("QuitOutcome(%d)", uint8(o))
}

// ParseQuit makes a target for [Quit] from the name of a sidecar (see [Sidecars]) or from
// an http or https URL whose host is localhost, in 127.0.0.0/8 or ::1. The fragment of the
// URL takes the option header, and for https also ca and insecure, as in [Parse].
//
// getenv returns the value of an environment variable, as [os.Getenv] does. It is called
// for the token of a sidecar that requires one ([Sidecar.Token]), whose spaces and line
// breaks at both ends do not count. If getenv is nil, no token is sent.
//
// Errors say what is wrong and what to write instead. They show nothing of s.
func ParseQuit(s string, getenv func(string) string) (Target, error) {
	target, err := parseQuit(s, getenv)
	if err != nil {
		return Target{}, fmt.Errorf("cannot use target: %w", err)
	}
	return target, nil
}

// ParseQuitList makes targets for [Quit] from a comma-separated list of what [ParseQuit]
// accepts. A comma inside a URL is written %2C. The error joins the errors of all items,
// each with its place in the list.
func ParseQuitList(s string, getenv func(string) string) ([]Target, error) {
	return parseList(s, func(item string) (Target, error) { return parseQuit(item, getenv) })
}

// parseQuit is ParseQuit, with an error that says only what is wrong.
func parseQuit(s string, getenv func(string) string) (Target, error) {
	s = strings.TrimSpace(s)
	if err := notOne(s); err != nil {
		return Target{}, err
	}
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
		return Target{}, fmt.Errorf("the value of %s has a line break or another control character", variable)
	}
	if len(sidecar.Ready) > 0 {
		named, err := parseName(s)
		if err != nil {
			return Target{}, err
		}
		target.Knock, target.EarlyKnock = named.Knock, named.EarlyKnock
	}
	target.Name, target.Sidecar = sidecar.Name, sidecar
	return target, nil
}

func unknownQuit(name string) error {
	var names []string
	for _, sidecar := range sidecars {
		names = append(names, sidecar.Name)
	}
	switch strings.ToLower(name) {
	case "":
		return errors.New("it is empty: remove the extra comma")
	case none:
		return errors.New("none cannot be shut down: leave the setting out to shut nothing down")
	}
	return vocabulary{names: names, example: "http://localhost:8080/quitquitquit", quit: true}.unknown(name)
}

// tokenOption returns the fragment of a URL with the header that sidecar requires. A value
// from a Secret often ends with a line break.
func tokenOption(sidecar *Sidecar, getenv func(string) string) string {
	header, variable, ok := strings.Cut(sidecar.Token, ":")
	if !ok || getenv == nil {
		return ""
	}
	token := strings.TrimSpace(getenv(variable))
	if token == "" {
		return ""
	}
	return "#header=" + header + ":" + escapeOption(token)
}

func parseQuitURL(s string) (Target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, urlReason(err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return Target{}, errors.New("a shutdown request is a POST: write http:// or https://")
	case !isLoopback(u.Hostname()):
		return Target{}, errors.New("a shutdown request is for this pod only: write localhost for the host")
	}
	known := []string{"header"}
	if tlsSchemes[u.Scheme] {
		known = append(known, "ca", "insecure")
	}
	return scheme{port: schemes[u.Scheme].port, options: known, prober: newQuit}.target(u)
}

// newQuit returns a prober that is ready when a POST is accepted.
func newQuit(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, http.MethodPost, newHTTPProbe(http.MethodPost, u, o).post)
}

// post is an [exchangeFunc]: it sends the request and judges the answer by its status
// alone, because the sidecar may exit before it has sent more.
func (p httpProbe) post(_ context.Context, conn net.Conn) Answer {
	response, _, failed := p.send(conn)
	switch {
	case failed != nil:
		return *failed
	case response.StatusCode >= 200 && response.StatusCode < 300:
		return Answer{Ready, fmt.Sprintf("status %d", response.StatusCode), nil}
	}
	return Answer{NotReady, statusText(response, conn.RemoteAddr()), StatusError(response.StatusCode)}
}

// quitPause is the pause between two requests.
const quitPause = 50 * time.Millisecond

// Quit asks a target from [ParseQuit] to shut down. seen says whether the target has
// answered before.
//
// Quit sends a POST until one is answered or ctx ends. A refused connection means that the
// sidecar has exited if it was seen before, by the caller or during this call, and no port of
// it answers any more. Otherwise it may still be starting, or exiting, so Quit tries again.
// It also tries again when a connection fails.
//
// Besides the outcome, Quit returns the last answer, if possible one that the end of ctx
// has not cut short. It does not wait for the sidecar to exit: see [AwaitGone].
func Quit(ctx context.Context, target Target, seen bool) (QuitOutcome, Answer) {
	var last Answer
	for {
		answer := target.Prober.Probe(ctx)
		switch answer.Outcome {
		case Ready:
			return QuitAccepted, answer
		case NotReady:
			return QuitRejected, answer
		}
		listens := answer.Reach() == Connected || answer.Outcome == Refused && target.Listens(ctx)
		switch {
		case seen && !listens && answer.Outcome == Refused:
			return QuitGone, answer
		case last.Outcome == 0 || !isPast(ctx): // otherwise the end of ctx has cut the answer short
			last, seen = answer, seen || listens
		}
		select {
		case <-time.After(quitPause):
		case <-ctx.Done():
			return unanswered(last, seen), last
		}
	}
}

// unanswered returns the outcome of requests of which none was answered.
func unanswered(last Answer, seen bool) QuitOutcome {
	switch {
	case !seen:
		return QuitNeverSeen
	case last.Outcome == Refused: // while another port of it answers
		return QuitRejected
	}
	return QuitUnanswered
}

// AwaitGone waits until nothing listens on any port of target or ctx ends. It reports
// whether nothing listened before ctx ended. A target without ports counts as gone.
func AwaitGone(ctx context.Context, target Target) bool {
	for {
		if !target.Listens(ctx) {
			return ctx.Err() == nil
		}
		select {
		case <-time.After(knockFastest):
		case <-ctx.Done():
			return false
		}
	}
}
