package wait

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
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
	request  string      // in words, for the answer's detail; no credentials
	tls      *tls.Config // nil: no TLS
	ca       *caFiles    // of the CAs to trust; nil: none is asked for
	exchange exchangeFunc
}

// exchangeFunc sends a request over a connection and reads the answer. When the context
// ends, so do reading and writing on the connection.
type exchangeFunc func(context.Context, net.Conn) Answer

// newConnProbe returns a probe of the server at e. verb describes the request: with the
// URL it becomes the first words of the answer's detail.
func newConnProbe(u *url.URL, e *endpoint, o options, verb string, exchange exchangeFunc) *connProbe {
	p := &connProbe{endpoint: e, request: verb + " " + locator(u), exchange: exchange}
	if tlsSchemes[u.Scheme] {
		p.tls, p.ca = o.tls(u.Hostname()), o.ca
		if p.ca == nil && !o.insecure {
			p.ca = &caFiles{}
		}
	}
	return p
}

// tlsSchemes are the schemes whose connections are TLS from the first byte.
var tlsSchemes = map[string]bool{"https": true, "rediss": true, "grpcs": true}

// Probe implements [Prober].
func (p *connProbe) Probe(ctx context.Context) Answer {
	answer := p.connect(ctx, func(conn net.Conn) Answer {
		if p.tls == nil {
			return p.exchange(ctx, conn)
		}
		return p.exchangeTLS(ctx, conn)
	})
	if answer.Outcome == Ready && ctx.Err() != nil {
		answer = answerFromError(ctx.Err())
	}
	answer.Detail = p.request + ": " + answer.Detail
	return answer
}

func (p *connProbe) exchangeTLS(ctx context.Context, conn net.Conn) Answer {
	pool, err := p.ca.pool(ctx)
	if err != nil {
		return answerFromError(err)
	}
	config := p.tls.Clone()
	config.RootCAs = pool
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return answerFromTLSError(err)
	}
	return p.exchange(ctx, secured)
}

func (p *connProbe) isHeld() bool {
	return p.endpoint.isHeld() || p.ca != nil && p.ca.isHeld()
}

// answerFromTLSError returns the answer for a TLS handshake that failed, with the next
// step for the user.
func answerFromTLSError(err error) Answer {
	answer := answerFromError(err)
	var (
		record  tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &record):
		answer.Detail = "TLS: the server does not speak TLS"
	case errors.As(err, &unknown):
		answer.Detail = "TLS: " + printable(unknown.Error()) + "; give its CA with #ca=/path, or trust any with #insecure"
	case errors.Is(err, io.EOF):
		answer.Detail = "TLS: closed during the handshake"
	case answer.Outcome == Timeout:
		answer.Detail = "TLS: no answer in time; does the server speak TLS?"
	case answer.Outcome == Failed:
		answer.Detail = "TLS: " + printable(answer.Detail)
	}
	return answer
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

// smallBuffer is large enough for the answer of every protocol that sendAndRead speaks.
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
