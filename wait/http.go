package wait

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// The bounds of an HTTP answer.
const (
	maxHeader = 16 << 10 // of all headers, those of 1xx answers too
	maxBody   = 1 << 20  // read and forgotten, so that half an answer does not count
	maxQuote  = 200      // of a body that is shown
)

// httpProbe asks with a GET over a connection of its own: no redirect is
// followed, no proxy of the environment used, nothing kept open.
type httpProbe struct {
	*endpoint
	options
	request *http.Request
	asked   string      // the request, as it may be shown
	tls     *tls.Config // nil: plain
}

func newHTTP(u *url.URL, e *endpoint, o options) Prober {
	sent := *u
	sent.User, sent.Fragment, sent.RawFragment = nil, "", ""
	request := &http.Request{Method: http.MethodGet, URL: &sent, Host: o.header.Get("Host"), Header: o.header, Close: true}
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "startgate")
	}
	p := &httpProbe{endpoint: e, options: o, request: request, asked: "GET " + locator(u)}
	if u.Scheme == "https" {
		p.tls = o.tls(u.Hostname())
	}
	return p
}

func (p *httpProbe) Probe(ctx context.Context) Answer {
	answer := p.converse(ctx, func(conn net.Conn) Answer { return p.talk(ctx, conn) })
	answer.Detail = p.asked + ": " + answer.Detail
	return answer
}

func (p *httpProbe) talk(ctx context.Context, conn net.Conn) Answer {
	if p.tls != nil {
		secured, failed := secure(ctx, conn, p.tls)
		if failed != nil {
			return *failed
		}
		conn = secured
	}
	if err := p.request.Write(conn); err != nil {
		return failure(err)
	}
	bound := &io.LimitedReader{R: conn, N: maxHeader}
	response, err := readResponse(bufio.NewReader(bound), p.request)
	switch {
	case err != nil && bound.N <= 0:
		return Answer{Failed, fmt.Sprintf("its header is longer than %d kB", maxHeader>>10), err}
	case err != nil:
		return httpFailure(err)
	}
	bound.N = maxBody // closing the body would read it to its end; closing the connection does not
	if !p.accepts(response.StatusCode) {
		return Answer{NotReady, statusText(response, conn.RemoteAddr()), nil}
	}
	return finish(response, bound)
}

// errTLS is what a server that speaks TLS says to one that does not.
var errTLS = errors.New("it answers with TLS: write https://")

// readResponse reads the header of the final answer.
func readResponse(r *bufio.Reader, request *http.Request) (*http.Response, error) {
	const tlsAlert = 0x15 // RFC 8446, section 5.1
	if first, err := r.Peek(1); err != nil {
		return nil, err
	} else if first[0] == tlsAlert {
		return nil, errTLS
	}
	for {
		response, err := http.ReadResponse(r, request)
		if err != nil || response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return response, err
		}
	}
}

// httpFailure is what a reader of HTTP stumbled over. What net/http says of a
// malformed answer quotes it, so that is not repeated.
func httpFailure(err error) Answer {
	var network net.Error
	switch {
	case err == io.EOF:
		return Answer{Failed, "closed without an answer", err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Answer{Failed, "closed after half an answer", err}
	case errors.As(err, &network):
		return failure(err)
	case err == errTLS:
		return Answer{Failed, err.Error(), err}
	}
	return Answer{Failed, "not an HTTP answer", err}
}

// finish reads the rest of an accepted answer, which makes it ready.
func finish(response *http.Response, bound *io.LimitedReader) Answer {
	_, err := io.Copy(io.Discard, response.Body)
	switch {
	case bound.N <= 0:
		return Answer{Failed, fmt.Sprintf("status %d, and a body longer than %d MB", response.StatusCode, maxBody>>20), err}
	case err != nil:
		answer := httpFailure(err)
		answer.Detail = fmt.Sprintf("status %d, then its body: %s", response.StatusCode, answer.Detail)
		return answer
	}
	return Answer{Ready, fmt.Sprintf("status %d", response.StatusCode), nil}
}

// statusText describes an answer that was not accepted. Its body is quoted only
// when it comes from this machine.
func statusText(response *http.Response, from net.Addr) string {
	text := fmt.Sprintf("status %d", response.StatusCode)
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		text += " (a redirect is not followed)"
	}
	if tcp, ok := from.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return text
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxQuote))
	if quote := strings.TrimSpace(string(body)); quote != "" {
		text += fmt.Sprintf(": %q", quote)
	}
	return text
}

// tlsHint says what to do about a certificate that is not trusted.
func tlsHint(err error) string {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return "; give its CA with #ca=/path, or trust any with #insecure"
	}
	return ""
}
