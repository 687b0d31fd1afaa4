package wait

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// newGRPC is for grpc:// and grpcs://: ready when the service named in the path,
// or the server for an empty one, is SERVING (grpc.health.v1, and gRPC over HTTP2:
// grpc/doc/PROTOCOL-HTTP2.md). grpc:// is HTTP/2 with prior knowledge.
func newGRPC(u *url.URL, e *endpoint, o options) Prober {
	p := grpcProbe{service: strings.Trim(u.Path, "/"), host: u.Host, scheme: "http"}
	if secureSchemes[u.Scheme] {
		p.scheme = "https"
	}
	return newConversation(u, e, o, "health of", p.talk)
}

// grpcProbe asks for the health of a service.
type grpcProbe struct{ service, host, scheme string }

func (p grpcProbe) talk(ctx context.Context, conn net.Conn) Answer {
	once := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		DialContext: once, DialTLSContext: once, Protocols: protocols,
		MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
		HTTP2: &http.HTTP2Config{MaxReadFrameSize: 16 << 10, MaxReceiveBufferPerConnection: 64 << 10, MaxReceiveBufferPerStream: 16 << 10},
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		p.scheme+"://"+p.host+"/grpc.health.v1.Health/Check", bytes.NewReader(healthRequest(p.service)))
	if err != nil {
		return failure(err)
	}
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"startgate"}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return grpcFailure(ctx, err)
	}
	defer response.Body.Close()
	return readHealth(response)
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

// readHealth judges a whole answer.
func readHealth(response *http.Response) Answer {
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/grpc") {
		return Answer{Failed, fmt.Sprintf("status %d, not a gRPC answer", response.StatusCode), nil}
	}
	frame, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return cutShort(err)
	}
	status := response.Trailer.Get("Grpc-Status")
	if status == "" {
		status = response.Header.Get("Grpc-Status") // an answer of trailers only
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

// grpcCode is a status code, if it is one.
func grpcCode(status string) string {
	if len(status) > 2 || strings.Trim(status, "0123456789") != "" {
		return "unknown"
	}
	return status
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
		return Answer{Failed, "not an answer of grpc.health.v1", nil}
	}
	return Answer{NotReady, []string{"UNKNOWN", "", "NOT_SERVING", "SERVICE_UNKNOWN"}[status], nil}
}

// grpcFailure is a conversation that did not come to an answer.
func grpcFailure(ctx context.Context, err error) Answer {
	var network net.Error
	switch {
	case ctx.Err() != nil:
		return failure(ctx.Err())
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return cutShort(err)
	}
	return Answer{Failed, "not a gRPC answer", err}
}
