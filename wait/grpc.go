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
	"strconv"
	"strings"
	"sync"
)

// newGRPC is for grpc:// and grpcs://: ready when the service named in the path,
// or the server for an empty one, is SERVING (grpc.health.v1, and gRPC over HTTP2:
// grpc/doc/PROTOCOL-HTTP2.md). grpc:// is HTTP/2 with prior knowledge.
func newGRPC(u *url.URL, e *endpoint, o options) Prober {
	p := grpcProbe{service: strings.Trim(u.Path, "/"), host: u.Host, scheme: "http"}
	if secureSchemes[u.Scheme] {
		p.scheme = "https"
	}
	c := newConversation(u, e, o, "health of", p.talk)
	if c.tls != nil {
		c.tls.NextProtos = []string{"h2"}
	}
	return c
}

// grpcProbe asks for the health of a service.
type grpcProbe struct{ service, host, scheme string }

func (p grpcProbe) talk(ctx context.Context, conn net.Conn) Answer {
	if secured, ok := conn.(*tls.Conn); ok && secured.ConnectionState().NegotiatedProtocol != "h2" {
		return Answer{Failed, "TLS: the server does not speak HTTP/2", nil}
	}
	heard := &heard{Conn: conn}
	response, err := p.ask(ctx, heard)
	if err != nil {
		return grpcFailure(ctx, heard.ended(), err)
	}
	defer response.Body.Close()
	return readHealth(response)
}

const notGRPC = "not a gRPC answer"

// ask asks over conn, whose end is that of the answer too.
func (p grpcProbe) ask(ctx context.Context, conn net.Conn) (*http.Response, error) {
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

// http2Client speaks HTTP/2 over conn, of TLS or not, and reads no more than it
// must.
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

// heard is a connection that reads so much and no more, and remembers what ended
// it: net/http may only say that it is over.
type heard struct {
	net.Conn
	mu   sync.Mutex
	read int
	end  error
}

// maxGRPC is more than any answer has in all.
const maxGRPC = 32 << 10

var errTooLong = fmt.Errorf("it sends more than %d kB", maxGRPC>>10)

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.read += n
	if h.read > maxGRPC {
		n, err = 0, errTooLong
	}
	if h.end == nil {
		h.end = err
	}
	return n, err
}

func (h *heard) ended() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.end
}

// healthRequest is a HealthCheckRequest, whose field 1 is the service, in a gRPC
// frame: not compressed, length, message.
func healthRequest(service string) []byte {
	var message []byte
	if service != "" {
		message = binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service)))
		message = append(message, service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(frame, message...)
}

// readHealth judges a whole answer: headers, a frame, and trailers, or headers
// alone, which have then what trailers have.
func readHealth(response *http.Response) Answer {
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/grpc") {
		return Answer{Failed, fmt.Sprintf("status %d, "+notGRPC, response.StatusCode), nil}
	}
	frame := make([]byte, maxHealth)
	n, err := io.ReadFull(response.Body, frame)
	frame = frame[:n]
	switch {
	case err == nil:
		return notHealth
	case err != io.EOF && err != io.ErrUnexpectedEOF: // the ends of the body
		return cutShort(err)
	}
	status := response.Trailer.Get("Grpc-Status")
	if status == "" && n == 0 {
		status = response.Header.Get("Grpc-Status")
	}
	switch status {
	case "0":
		return servingAnswer(servingStatus(frame))
	case "5":
		return Answer{NotReady, "the server does not know this service", nil}
	case "12":
		return Answer{NotReady, "the server has no health service (grpc.health.v1)", nil}
	case "":
		return Answer{Failed, "closed after half an answer", nil}
	}
	return Answer{NotReady, "gRPC status " + grpcCode(status), nil}
}

// maxHealth is more than a frame with a HealthCheckResponse has.
const maxHealth = 64

var notHealth = Answer{Failed, "not an answer of grpc.health.v1", nil}

// grpcCodes are the names of the status codes (grpc/doc/statuscodes.md).
var grpcCodes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// grpcCode is the name of a status code, if it is one.
func grpcCode(status string) string {
	code, err := strconv.ParseUint(status, 10, 8)
	if err != nil || code >= uint64(len(grpcCodes)) {
		return "of no known code"
	}
	return grpcCodes[code]
}

// servingStatus returns the status of a HealthCheckResponse in a gRPC frame, its
// field 1; 0, which is UNKNOWN, when there is none, and -1 for anything else.
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

// grpcFailure is a conversation without an answer, on a connection that ended
// with end, if it did.
func grpcFailure(ctx context.Context, end, err error) Answer {
	switch {
	case ctx.Err() != nil:
		return failure(ctx.Err())
	case end != nil:
		return cutShort(end)
	}
	return Answer{Failed, notGRPC, err}
}
