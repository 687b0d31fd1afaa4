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

// The limits of an HTTP answer, in bytes.
const (
	maxHeader = 8 << 10 // all headers together, including those of 1xx answers
	maxBody   = 1 << 20 // read to its end, so that half an answer does not count
	maxQuote  = 200     // the part of a body that the answer's detail quotes
)

// StatusError is the cause of an answer whose HTTP status is not accepted.
type StatusError int

// Error returns the status in words.
func (e StatusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// httpProbe sends one request over a connection. It follows no redirect and uses no proxy
// from the environment.
type httpProbe struct {
	options
	request *http.Request
	text    []byte // the request as it is sent
}

// newHTTP returns the prober for http:// and https://: ready when GET is answered as the
// options want.
func newHTTP(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, http.MethodGet, newHTTPProbe(http.MethodGet, u, o).get)
}

func newHTTPProbe(method string, u *url.URL, o options) httpProbe {
	sent := *u
	sent.User, sent.Fragment, sent.RawFragment = nil, "", ""
	request := &http.Request{Method: method, URL: &sent, Host: o.header.Get("Host"), Header: o.header, Close: true}
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "startgate")
	}
	var text bytes.Buffer
	_ = request.Write(&text) // cannot fail: the request has a host, and a buffer accepts everything
	return httpProbe{o, request, text.Bytes()}
}

// get is an [exchangeFunc]: it sends the request and reads the whole answer.
func (p httpProbe) get(_ context.Context, conn net.Conn) Answer {
	response, reader, failed := p.send(conn)
	switch {
	case failed != nil:
		return *failed
	case !p.accepts(response.StatusCode):
		return Answer{NotReady, statusText(response, conn.RemoteAddr()), StatusError(response.StatusCode)}
	}
	return p.readBody(response, reader)
}

// send sends the request and reads the header of the answer. It returns an answer only if
// that fails. The body of the response comes from the returned reader.
func (p httpProbe) send(conn net.Conn) (*http.Response, *limitedReader, *Answer) {
	if _, err := conn.Write(p.text); err != nil {
		failed := answerFromError(err)
		return nil, nil, &failed
	}
	reader := &limitedReader{LimitedReader: io.LimitedReader{R: conn, N: maxHeader}}
	response, err := readResponse(bufio.NewReaderSize(reader, smallBuffer), p.request)
	switch {
	case err != nil && reader.N <= 0:
		return nil, nil, &Answer{Failed, fmt.Sprintf("its header is longer than %d kB", maxHeader>>10), err}
	case err != nil:
		failed := answerFromHTTPError(reader.readError(err))
		return nil, nil, &failed
	}
	reader.N = maxBody // the caller does not close the body: that would read it to its end
	return response, reader, nil
}

// limitedReader limits how much is read, and remembers the read error that ended it.
// net/http parses whatever arrived before that error and reports it as malformed.
type limitedReader struct {
	io.LimitedReader
	err error
}

func (r *limitedReader) Read(p []byte) (int, error) {
	n, err := r.LimitedReader.Read(p)
	if err != nil && r.N > 0 {
		r.err = err
	}
	return n, err
}

// readError returns the error of the connection, if there was one, in place of err, which
// net/http returned.
func (r *limitedReader) readError(err error) error {
	switch {
	case r.err == nil, err == io.EOF:
		return err
	case r.err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return r.err
}

var errNotHTTP = errors.New("not an HTTP answer")

// readResponse reads the header of the answer that follows any 1xx answers.
func readResponse(r *bufio.Reader, request *http.Request) (*http.Response, error) {
	switch first, err := r.Peek(1); {
	case err != nil:
		return nil, err
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

// answerFromHTTPError returns the answer for a response that could not be read. The errors
// of net/http quote what is malformed, so their text is not shown.
func answerFromHTTPError(err error) Answer {
	var network net.Error
	switch {
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return endedEarly(err)
	case strings.HasPrefix(err.Error(), "unsupported transfer encoding"): // as net/http says
		return Answer{Failed, "its Transfer-Encoding is not chunked, and no other is understood", err}
	}
	return Answer{Failed, errNotHTTP.Error(), err}
}

// readBody reads the body of an answer whose status is accepted. The answer is ready when
// the body is complete and is as the options want.
func (p httpProbe) readBody(response *http.Response, reader *limitedReader) Answer {
	status := fmt.Sprintf("status %d", response.StatusCode)
	body := newBody(p.options)
	_, err := io.CopyBuffer(body, response.Body, make([]byte, smallBuffer))
	switch {
	case reader.N <= 0:
		return Answer{Failed, fmt.Sprintf("%s, and a body longer than %d MB", status, maxBody>>20), err}
	case err != nil:
		answer := answerFromHTTPError(reader.readError(err))
		answer.Detail = status + ", then its body: " + answer.Detail
		return answer
	}
	if missing := body.missing(p.options); missing != "" {
		return Answer{NotReady, status + ", and " + missing, nil}
	}
	return Answer{Ready, status, nil}
}

// statusText describes an answer whose status is not accepted. It quotes the body only if
// the answer comes from this machine.
func statusText(response *http.Response, from net.Addr) string {
	text := StatusError(response.StatusCode).Error()
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
