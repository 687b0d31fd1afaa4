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

// conversation is a [Prober] that connects and talks over the connection.
type conversation struct {
	*endpoint
	asked string      // what is asked, as it may be shown
	tls   *tls.Config // nil: plain
	talk  func(context.Context, net.Conn) Answer
}

// newConversation returns one with the server of u, where verb is what it asks.
// It is a TLS connection when the scheme says so.
func newConversation(u *url.URL, e *endpoint, o options, verb string, talk func(context.Context, net.Conn) Answer) *conversation {
	c := &conversation{endpoint: e, asked: verb + " " + locator(u), talk: talk}
	if secureSchemes[u.Scheme] {
		c.tls = o.tls(u.Hostname())
	}
	return c
}

// secureSchemes are the schemes whose connections are TLS from the first byte.
var secureSchemes = map[string]bool{"https": true, "rediss": true, "grpcs": true}

// Probe connects, and says what was asked before what came of it.
func (c *conversation) Probe(ctx context.Context) Answer {
	answer := c.converse(ctx, func(conn net.Conn) Answer {
		if c.tls == nil {
			return c.talk(ctx, conn)
		}
		secured := tls.Client(conn, c.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			return tlsFailure(err)
		}
		return c.talk(ctx, secured)
	})
	if answer.Outcome == Ready && ctx.Err() != nil {
		answer = failure(ctx.Err())
	}
	answer.Detail = c.asked + ": " + answer.Detail
	return answer
}

// tlsFailure is a handshake that failed, and what to do about it.
func tlsFailure(err error) Answer {
	answer := failure(err)
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

// printable returns the beginning of text, which a certificate may have a part
// in, as it fits in a line of the log and cannot break it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text[:min(len(text), 300)])
}

// smallBuffer holds an answer of the protocols that are spoken with ask, or the
// beginning of what is not one.
const smallBuffer = 512

// ask is the whole of a simple conversation: it sends a question, which may be
// empty, and reads the answer.
func ask(question string, read func(*bufio.Reader) Answer) func(context.Context, net.Conn) Answer {
	return func(_ context.Context, conn net.Conn) Answer {
		if _, err := io.WriteString(conn, question); err != nil {
			return failure(err)
		}
		return read(bufio.NewReaderSize(conn, smallBuffer))
	}
}

// cutInside is a conversation that ended, by err, in the middle of an answer.
func cutInside(err error) Answer {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return cutShort(err)
}

// cutShort is a conversation that ended, by err, before its end.
func cutShort(err error) Answer {
	switch {
	case err == io.EOF:
		return Answer{Failed, "closed without an answer", err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Answer{Failed, "closed after half an answer", err}
	}
	return failure(err)
}
