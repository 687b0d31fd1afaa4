package wait

import (
	"bufio"
	"bytes"
	"context"
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
	maxHeader = 8 << 10 // of all headers, those of 1xx answers too
	maxBody   = 1 << 20 // read and forgotten, so that half an answer does not count
	maxQuote  = 200     // of a body that is shown
)

// httpProbe asks with a GET over a connection of its own: no redirect is
// followed, no proxy of the environment used, nothing kept open.
type httpProbe struct {
	options
	request *http.Request
	text    []byte // of the request
}

func newHTTP(u *url.URL, e *endpoint, o options) Prober {
	return newConversation(u, e, o, http.MethodGet, newHTTPProbe(http.MethodGet, u, o).talk)
}

// newHTTPProbe returns one that says that the connection is to be closed after it.
func newHTTPProbe(method string, u *url.URL, o options) httpProbe {
	sent := *u
	sent.User, sent.Fragment, sent.RawFragment = nil, "", ""
	request := &http.Request{Method: method, URL: &sent, Host: o.header.Get("Host"), Header: o.header, Close: true}
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "startgate")
	}
	var text bytes.Buffer
	_ = request.Write(&text) // cannot fail: it has a host, and a buffer takes all
	return httpProbe{o, request, text.Bytes()}
}

func (p httpProbe) talk(_ context.Context, conn net.Conn) Answer {
	response, bound, failed := p.exchange(conn)
	switch {
	case failed != nil:
		return *failed
	case !p.accepts(response.StatusCode):
		return Answer{NotReady, statusText(response, conn.RemoteAddr()), nil}
	}
	return p.finish(response, bound)
}

// exchange sends the request and reads the header of the answer.
func (p httpProbe) exchange(conn net.Conn) (*http.Response, *bounded, *Answer) {
	if _, err := conn.Write(p.text); err != nil {
		failed := failure(err)
		return nil, nil, &failed
	}
	bound := &bounded{LimitedReader: io.LimitedReader{R: conn, N: maxHeader}}
	response, err := readResponse(bufio.NewReaderSize(bound, smallBuffer), p.request)
	switch {
	case err != nil && bound.N <= 0:
		return nil, nil, &Answer{Failed, fmt.Sprintf("its header is longer than %d kB", maxHeader>>10), err}
	case err != nil:
		failed := httpFailure(bound.cause(err))
		return nil, nil, &failed
	}
	bound.N = maxBody // closing the body would read it to its end; closing the connection does not
	return response, bound, nil
}

// bounded reads so much of an answer and no more, and remembers what ended the
// connection before: net/http takes the half line that it got by then for a whole
// one, and calls that malformed.
type bounded struct {
	io.LimitedReader
	end error
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.LimitedReader.Read(p)
	if err != nil && b.N > 0 {
		b.end = err
	}
	return n, err
}

// cause is why an answer could not be read when net/http says err.
func (b *bounded) cause(err error) error {
	switch {
	case b.end == nil, err == io.EOF:
		return err
	case b.end == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return b.end
}

var (
	errTLS     = errors.New("it answers with TLS: write https://")
	errNotHTTP = errors.New("not an HTTP answer")
)

// readResponse reads the header of the final answer.
func readResponse(r *bufio.Reader, request *http.Request) (*http.Response, error) {
	const tlsAlert = 0x15 // RFC 8446, section 5.1
	switch first, err := r.Peek(1); {
	case err != nil:
		return nil, err
	case first[0] == tlsAlert:
		return nil, errTLS
	case first[0] != 'H':
		return nil, errNotHTTP
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
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return cutShort(err)
	case err == errTLS:
		return Answer{Failed, err.Error(), err}
	}
	return Answer{Failed, errNotHTTP.Error(), err}
}

// finish reads the rest of an answer whose status is accepted; it is ready when
// that comes to its end, and is what it must be.
func (p httpProbe) finish(response *http.Response, bound *bounded) Answer {
	status := fmt.Sprintf("status %d", response.StatusCode)
	body, err := io.ReadAll(io.LimitReader(response.Body, maxQuote))
	var more int64
	if err == nil {
		more, err = io.Copy(io.Discard, response.Body)
	}
	switch {
	case bound.N <= 0:
		return Answer{Failed, fmt.Sprintf("%s, and a body longer than %d MB", status, maxBody>>20), err}
	case err != nil:
		answer := httpFailure(bound.cause(err))
		answer.Detail = status + ", then its body: " + answer.Detail
		return answer
	case p.body != "" && (more > 0 || strings.TrimSpace(string(body)) != p.body):
		return Answer{NotReady, fmt.Sprintf("%s, and its body is not %q", status, p.body), nil}
	}
	return Answer{Ready, status, nil}
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
