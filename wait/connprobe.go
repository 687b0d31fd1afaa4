package wait

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"unicode"
)

// connProbe is a [Prober] that connects to an endpoint and exchanges one request and one
// answer over the connection.
type connProbe struct {
	*endpoint
	request  string // in words, for the answer's detail; no credentials
	scheme   string
	tls      *tls.Config // for a scheme with TLS, and to find out whether a server speaks it
	ca       *caFiles    // of the CAs to trust; nil: none is asked for
	exchange exchangeFunc
}

// exchangeFunc sends a request over a connection and reads the answer. When the context
// ends, so do reading and writing on the connection.
type exchangeFunc func(context.Context, net.Conn) Answer

// newConnProbe returns a probe of the server at e. verb describes the request: with the
// URL it becomes the first words of the answer's detail.
func newConnProbe(u *url.URL, e *endpoint, o options, verb string, exchange exchangeFunc) *connProbe {
	ca := o.ca
	if ca == nil && !o.insecure {
		ca = &caFiles{} // the system's
	}
	return &connProbe{
		endpoint: e, request: verb + " " + locator(u), scheme: u.Scheme,
		tls: o.tls(withoutZone(u).Hostname()), ca: ca, exchange: exchange,
	}
}

// Probe implements [Prober].
func (p *connProbe) Probe(ctx context.Context) Answer {
	answer := p.connect(ctx, func(conn net.Conn) Answer {
		if tlsSchemes[p.scheme] {
			return p.exchangeTLS(ctx, conn)
		}
		return p.exchangePlain(ctx, conn)
	})
	if answer.Outcome == Ready && ctx.Err() != nil {
		answer = answerFromError(ctx.Err())
	}
	answer.Detail = p.request + ": " + answer.Detail
	return answer
}

func (p *connProbe) isHeld() bool {
	return p.endpoint.isHeld() || p.ca != nil && p.ca.isHeld()
}

// printable returns the beginning of text with unprintable characters replaced, so that
// text from a server's certificate cannot break a line of the log.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text[:min(len(text), 300)])
}

// smallBuffer is large enough for the usual answer of every protocol that sendAndRead
// speaks, and for the beginning of any.
const smallBuffer = 512

// sendAndRead returns an exchange that sends a fixed request, which may be empty, and
// reads the answer with read.
func sendAndRead(request string, read func(*bufio.Reader) Answer) exchangeFunc {
	return func(_ context.Context, conn net.Conn) Answer {
		if _, err := io.WriteString(conn, request); err != nil {
			return answerFromError(err)
		}
		return read(bufio.NewReaderSize(conn, smallBuffer))
	}
}

// endedMidAnswer returns the answer for an exchange that err ended after a part of the
// server's answer had arrived.
func endedMidAnswer(err error) Answer {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return endedEarly(err)
}

// endedEarly returns the answer for an exchange that err ended before the server's answer
// was complete. A plain io.EOF means that none of it had arrived.
func endedEarly(err error) Answer {
	switch {
	case err == io.EOF:
		return Answer{Failed, "closed without an answer", err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Answer{Failed, "closed after half an answer", err}
	}
	return answerFromError(err)
}
