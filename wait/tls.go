package wait

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
)

// tlsSchemes are the schemes whose connections are TLS from the first byte. Their names
// are those of the schemes without TLS and an s.
var tlsSchemes = map[string]bool{"https": true, "rediss": true, "grpcs": true, "kafkas": true, "amqps": true}

// portOnly is what to write for a server that no other scheme can ask.
const portOnly = "tcp://HOST:PORT, which waits for its port only"

// exchangePlain exchanges without TLS. Many servers that speak it answer with an alert.
func (p *connProbe) exchangePlain(ctx context.Context, conn net.Conn) Answer {
	heard := &firstBytes{Conn: conn}
	answer := p.exchange(ctx, heard)
	if heard.areTLS() {
		return Answer{Failed, "it speaks TLS: write " + p.secure(), nil}
	}
	return answer
}

// secure returns what to write instead of a scheme without TLS.
func (p *connProbe) secure() string {
	if secure := p.scheme + "s"; tlsSchemes[secure] {
		return secure + "://"
	}
	return portOnly
}

// AskTLS asks the server of a URL without TLS whether it speaks TLS from the first byte. If
// it does, AskTLS returns what to write instead of the URL's scheme, such as "rediss://".
// Many servers close a connection without an answer, or answer with an error of their
// protocol, when they are asked without TLS.
//
// It connects once more. It returns an empty string when the server does not speak TLS or
// ctx ends first, and for other targets.
func (t Target) AskTLS(ctx context.Context) string {
	p, ok := t.Prober.(*connProbe)
	if !ok || tlsSchemes[p.scheme] {
		return ""
	}
	config := p.tls.Clone()
	config.InsecureSkipVerify = true // any certificate is an answer, and nothing is sent
	speaks := p.connect(ctx, func(conn net.Conn) Answer {
		heard := &firstBytes{Conn: conn}
		_ = tls.Client(heard, config).HandshakeContext(ctx)
		if heard.areTLS() {
			return Answer{Outcome: Ready}
		}
		return Answer{Outcome: Failed}
	})
	if speaks.Outcome != Ready {
		return ""
	}
	return p.secure()
}

// firstBytes is a connection that remembers the first bytes that are read from it.
type firstBytes struct {
	net.Conn
	mu    sync.Mutex
	bytes []byte
}

func (c *firstBytes) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if missing := 2 - len(c.bytes); missing > 0 {
		c.bytes = append(c.bytes, p[:min(n, missing)]...)
	}
	return n, err
}

// areTLS reports whether the bytes begin a record with an alert or a handshake (RFC 8446,
// section 5.1).
func (c *firstBytes) areTLS() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := string(c.bytes)
	return first == "\x15\x03" || first == "\x16\x03"
}

func (p *connProbe) exchangeTLS(ctx context.Context, conn net.Conn) Answer {
	pool, err := p.ca.pool(ctx)
	if err != nil {
		return answerFromError(err)
	}
	config := p.tls.Clone()
	config.RootCAs = pool
	asked := false
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		return new(tls.Certificate), nil // none
	}
	secured := tls.Client(conn, config)
	var answer Answer
	if err := secured.HandshakeContext(ctx); err != nil {
		answer = answerFromTLSError(err)
	} else {
		answer = p.exchange(ctx, secured) // with TLS 1.3, a server refuses only now
	}
	if asked && isRefusal(answer) {
		answer.Detail += "; it asks for a client certificate, and startgate has none: write " + portOnly
	}
	return answer
}

// isRefusal reports whether a server may have answered so because it got no client
// certificate: it has ended the connection, or answers as nginx does.
func isRefusal(a Answer) bool {
	return a.Outcome == Failed && a.Err != nil || strings.HasPrefix(a.Detail, "status 400")
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
