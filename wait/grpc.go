package wait

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// newGRPC returns the prober for grpc:// and grpcs://: ready when the service named in the
// path is SERVING, or with an empty path the server, and when the answer has a status that
// the options name (grpc.health.v1, and gRPC over HTTP2:
// grpc/doc/PROTOCOL-HTTP2.md). grpc:// is HTTP/2 with prior knowledge.
func newGRPC(u *url.URL, e *endpoint, o options) Prober {
	p := grpcProbe{options: o, service: strings.Trim(u.Path, "/"), host: withoutZone(u).Host, scheme: "http"}
	if tlsSchemes[u.Scheme] {
		p.scheme = "https"
	}
	probe := newConnProbe(u, e, o, "health of", p.exchange)
	probe.tls.NextProtos = []string{"h2"}
	return probe
}

// grpcProbe calls Check of grpc.health.v1 for a service.
type grpcProbe struct {
	options
	service, host, scheme string
}

// exchange is an [exchangeFunc].
func (p grpcProbe) exchange(ctx context.Context, conn net.Conn) Answer {
	if secured, ok := conn.(*tls.Conn); ok && secured.ConnectionState().NegotiatedProtocol != "h2" {
		return Answer{Failed, "TLS: the server does not speak HTTP/2", nil}
	}
	limited := &limitedConn{Conn: conn}
	response, err := p.call(ctx, limited)
	if err != nil {
		return answerFromGRPCError(ctx, limited.readError(), err)
	}
	defer response.Body.Close()
	return p.readHealth(response)
}

const (
	notGRPC  = "not a gRPC answer"
	noHealth = "the server has no health service (grpc.health.v1): #status=UNIMPLEMENTED takes it as ready"
)

// call sends the request and reads the header of the response. The body of the response
// reads from conn.
func (p grpcProbe) call(ctx context.Context, conn net.Conn) (*http.Response, error) {
	client, err := http2Client(ctx, conn)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		p.scheme+"://"+p.host+"/grpc.health.v1.Health/Check", bytes.NewReader(healthRequest(p.service)))
	if err != nil {
		return nil, err
	}
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"startgate"}}
	return client.RoundTrip(request)
}

// http2Client returns a client that speaks HTTP/2 over conn, with TLS or without, and
// buffers as little as possible.
func http2Client(ctx context.Context, conn net.Conn) (*http.ClientConn, error) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		Protocols:              protocols,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
		HTTP2:                  &http.HTTP2Config{MaxReadFrameSize: 16 << 10, MaxReceiveBufferPerConnection: 64 << 10, MaxReceiveBufferPerStream: 16 << 10},
	}
	return transport.NewClientConn(ctx, "http", "host:0")
}

// limitedConn is a connection that limits how much is read to maxGRPC, and remembers the
// first read error, because net/http may report only that the connection was closed.
type limitedConn struct {
	net.Conn
	mu   sync.Mutex
	read int // bytes so far
	err  error
}

// maxGRPC is larger than any valid answer, in bytes.
const maxGRPC = 32 << 10

var errTooLong = fmt.Errorf("it sends more than %d kB", maxGRPC>>10)

func (c *limitedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += n
	if c.read > maxGRPC {
		n, err = 0, errTooLong
	}
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// readError returns the first read error, nil when there was none.
func (c *limitedConn) readError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// healthRequest returns a HealthCheckRequest in a gRPC frame. The frame is a byte for no
// compression, the length and the message; field 1 of the message is the service.
func healthRequest(service string) []byte {
	var message []byte
	if service != "" {
		message = binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service)))
		message = append(message, service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(frame, message...)
}

// readHealth reads a complete answer: headers, a frame and trailers, or headers only, which
// then hold the fields of the trailers.
func (p grpcProbe) readHealth(response *http.Response) Answer {
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/grpc") {
		return Answer{Failed, fmt.Sprintf("status %d, "+notGRPC, response.StatusCode), nil}
	}
	frame := make([]byte, maxHealth)
	n, err := io.ReadFull(response.Body, frame)
	frame = frame[:n]
	switch {
	case err == nil:
		return notHealth
	case err != io.EOF && err != io.ErrUnexpectedEOF: // both mean that the body is complete
		return endedEarly(err)
	}
	status := response.Trailer.Get("Grpc-Status")
	if status == "" && n == 0 {
		status = response.Header.Get("Grpc-Status")
	}
	if name := grpcCode(status); p.lists(slices.Index(grpcCodes[:], name)) {
		return Answer{Ready, "gRPC status " + name, nil}
	}
	switch status {
	case "0":
		return servingAnswer(servingStatus(frame))
	case "5":
		return Answer{NotReady, "the server does not know this service", nil}
	case "12":
		return Answer{NotReady, noHealth, nil}
	case "":
		return Answer{Failed, "closed after half an answer", nil}
	}
	return Answer{NotReady, "gRPC status " + grpcCode(status), nil}
}

// maxHealth is larger than any frame with a HealthCheckResponse, in bytes.
const maxHealth = 64

var notHealth = Answer{Failed, "not an answer of grpc.health.v1", nil}

// grpcCodes are the names of the status codes (grpc/doc/statuscodes.md).
var grpcCodes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// grpcCode returns the name of a status code.
func grpcCode(status string) string {
	code, err := strconv.ParseUint(status, 10, 8)
	if err != nil || code >= uint64(len(grpcCodes)) {
		return "of no known code"
	}
	return grpcCodes[code]
}

// servingStatus returns the status in a gRPC frame with a HealthCheckResponse, whose field
// 1 it is. A missing field means 0, UNKNOWN. It returns -1 for anything else.
func servingStatus(frame []byte) int {
	if len(frame) < 5 || frame[0] != 0 || int(binary.BigEndian.Uint32(frame[1:])) != len(frame)-5 {
		return -1
	}
	message := frame[5:]
	if len(message) == 0 {
		return 0
	}
	value, n := binary.Uvarint(message[1:])
	if message[0] != 1<<3 || n != len(message)-1 || value > 3 {
		return -1
	}
	return int(value)
}

func servingAnswer(status int) Answer {
	const serving = 1
	switch {
	case status == serving:
		return Answer{Ready, "SERVING", nil}
	case status < 0:
		return notHealth
	}
	return Answer{NotReady, []string{"UNKNOWN", "", "NOT_SERVING", "SERVICE_UNKNOWN"}[status], nil}
}

// answerFromGRPCError returns the answer for a call that failed with callErr. readErr is
// the read error of its connection, if there was one, and says more.
func answerFromGRPCError(ctx context.Context, readErr, callErr error) Answer {
	switch {
	case ctx.Err() != nil:
		return answerFromError(ctx.Err())
	case readErr != nil:
		return endedEarly(readErr)
	}
	return Answer{Failed, notGRPC, callErr}
}
