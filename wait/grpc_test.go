package wait

// This file covers the schemes grpc and grpcs, against a real gRPC server and against
// scripted replies.

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestGRPC(t *testing.T) {
	server := startHealth(t)
	_, port, _ := net.SplitHostPort(server.addr)
	wantAnswer(t, "grpc://us3r:s3cret@"+server.addr, Ready, "SERVING")
	wantAnswer(t, "grpc://"+server.addr+"/", Ready, "SERVING")
	wantAnswer(t, "grpc://localhost:"+port, Ready, "SERVING")
	wantAnswer(t, "grpc://"+server.addr+"/shop.Cart", NotReady, "the server does not know this service")
	server.set("shop.Cart", "SERVING")
	server.set(".", "NOT_SERVING")
	wantAnswer(t, "grpc://"+server.addr, NotReady, "NOT_SERVING")
	wantAnswer(t, "grpc://"+server.addr+"/shop.Cart", Ready, "SERVING")
	server.set("shop.Cart", "UNKNOWN")
	wantAnswer(t, "grpc://"+server.addr+"/shop.Cart", NotReady, "UNKNOWN")
	server.set("shop.Cart", "SERVICE_UNKNOWN")
	wantAnswer(t, "grpc://"+server.addr+"/shop.Cart", NotReady, "SERVICE_UNKNOWN")
	server.set(strings.Repeat("long", 1000), "SERVING")
	wantAnswer(t, "grpc://"+server.addr+"/"+strings.Repeat("long", 1000), Ready, "SERVING")
	wantAnswer(t, "grpcs://"+server.addr, Failed, "TLS: the server does not speak TLS")
	wantAnswer(t, "grpc://127.0.0.1:"+unusedPort(t), Refused, "connection refused")
}

func TestGRPCWithoutHealth(t *testing.T) {
	wantAnswer(t, "grpc://"+startHealth(t, "-without").addr, NotReady, noHealth)
}

// A status of gRPC that the options name is ready too.
func TestGRPCStatus(t *testing.T) {
	without, with := startHealth(t, "-without"), startHealth(t)
	for _, status := range []string{"12", "UNIMPLEMENTED", "5&status=12"} {
		wantAnswer(t, "grpc://"+without.addr+"#status="+status, Ready, "gRPC status UNIMPLEMENTED")
		wantAnswer(t, "grpc://"+with.addr+"#status="+status, Ready, "SERVING")
	}
	wantAnswer(t, "grpc://"+without.addr+"#status=UNAVAILABLE", NotReady, noHealth)
	wantAnswer(t, "grpc://"+with.addr+"/shop.Cart#status=12", NotReady, "the server does not know this service")
	wantAnswer(t, "grpc://"+with.addr+"/shop.Cart#status=NOT_FOUND", Ready, "gRPC status NOT_FOUND")
	with.set(".", "NOT_SERVING")
	wantAnswer(t, "grpc://"+with.addr+"#status=12", NotReady, "NOT_SERVING")
	for _, said := range []string{trailersOnly("-12"), trailersOnly("0x0c"), trailersOnly(""), trailersOnly("0"), grpcAnswer(serving, "0")[:len(grpcAnswer(serving, "0"))-1]} {
		target := mustParse(t, "grpc://"+serve(t, "127.0.0.1:0", saysGRPC(said))+"#status=12")
		checkNotReady(t, fmt.Sprintf("%q", said), probe(t, target))
	}
}

func TestGRPCTLS(t *testing.T) {
	files := certify(t, t.TempDir())
	server := startHealth(t, "-cert", files.cert, "-key", files.key)
	_, port, _ := net.SplitHostPort(server.addr)
	wantAnswer(t, "grpcs://"+server.addr+"#ca="+files.ca, Ready, "SERVING")
	wantAnswer(t, "grpcs://localhost:"+port+"#ca="+files.ca, Ready, "SERVING")
	wantAnswer(t, "grpcs://"+server.addr+"#insecure", Ready, "SERVING")
	wantAnswer(t, "grpcs://"+server.addr+"/x#insecure", NotReady, "the server does not know this service")
	wantAnswer(t, "grpcs://"+server.addr, Failed, "TLS: x509: certificate signed by unknown authority; give its CA with #ca=/path, or trust any with #insecure")
	if answer := askOnce(t, "grpc://"+server.addr); answer.Outcome != Failed {
		t.Errorf("without TLS: %v", answer)
	}
	server.set(".", "NOT_SERVING")
	wantAnswer(t, "grpcs://"+server.addr+"#insecure", NotReady, "NOT_SERVING")

	certificate, err := tls.LoadX509KeyPair(files.cert, files.key)
	if err != nil {
		t.Fatal(err)
	}
	without := serve(t, "127.0.0.1:0", func(conn net.Conn) { // ALPN
		hang(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	})
	wantAnswer(t, "grpcs://"+without+"#ca="+files.ca, Failed, "TLS: the server does not speak HTTP/2")
}

// httpServer starts a server that is ready for http or https, but does not speak gRPC.
func httpServer(t testing.TB, tls bool, protocols ...func(*http.Protocols, bool)) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ready") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.Protocols = new(http.Protocols)
	for _, set := range protocols {
		set(server.Config.Protocols, true)
	}
	if tls {
		server.EnableHTTP2 = server.Config.Protocols.HTTP2()
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// An HTTP server is not ready for grpc.
func TestGRPCProbeOfHTTPServer(t *testing.T) {
	http1, http2, h2c := (*http.Protocols).SetHTTP1, (*http.Protocols).SetHTTP2, (*http.Protocols).SetUnencryptedHTTP2
	wantAnswer(t, "grpc://"+httpServer(t, false, http1), Failed, "not a gRPC answer")
	wantAnswer(t, "grpc://"+httpServer(t, false, h2c), Failed, "status 200, not a gRPC answer")
	wantAnswer(t, "grpcs://"+httpServer(t, true, http1)+"#insecure", Failed, "TLS: tls: no application protocol")
	wantAnswer(t, "grpcs://"+httpServer(t, true, http1, http2)+"#insecure", Failed, "status 200, not a gRPC answer")
}

// The kinds and flags of frames that these tests send (RFC 9113, section 6).
const (
	dataFrame, headersFrame, resetFrame, settingsFrame, goAwayFrame = 0, 1, 3, 4, 7
	endStream, endHeaders                                           = 1, 4
)

// frame returns a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) string {
	n := len(payload)
	return string(binary.BigEndian.AppendUint32([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, stream)) + payload
}

// field returns a header field without indexing (RFC 7541, section 6.2.2).
func field(name, value string) string {
	return "\x00" + string(byte(len(name))) + name + string(byte(len(value))) + value
}

var (
	settings = frame(settingsFrame, 0, 0, "")
	headers  = "\x88" + field("content-type", "application/grpc") // 0x88 is :status 200
	serving  = "\x00\x00\x00\x00\x02\x08\x01"
)

// grpcAnswer returns a complete answer.
func grpcAnswer(data, status string) string {
	return settings + frame(headersFrame, endHeaders, 1, headers) + frame(dataFrame, 0, 1, data) +
		frame(headersFrame, endHeaders|endStream, 1, field("grpc-status", status))
}

// trailersOnly returns an answer without a message.
func trailersOnly(status string) string {
	return settings + frame(headersFrame, endHeaders|endStream, 1, headers+field("grpc-status", status))
}

// healthAnswers holds what a server may send, and what it means.
var healthAnswers = []struct {
	name, sent string
	outcome    Outcome
	detail     string // empty when it depends on timing
}{
	{"ready", grpcAnswer(serving, "0"), Ready, "SERVING"},
	{"not serving", grpcAnswer("\x00\x00\x00\x00\x02\x08\x02", "0"), NotReady, "NOT_SERVING"},
	{"no status of serving", grpcAnswer("\x00\x00\x00\x00\x00", "0"), NotReady, "UNKNOWN"},
	{"unavailable", trailersOnly("14"), NotReady, "gRPC status UNAVAILABLE"},
	{"a service that it does not know", trailersOnly("5"), NotReady, "the server does not know this service"},
	{"no health service", trailersOnly("12"), NotReady, noHealth},
	{"an error after serving", grpcAnswer(serving, "2"), NotReady, "gRPC status UNKNOWN"},
	{"a code that is none", trailersOnly("99"), NotReady, "gRPC status of no known code"},
	{"a code that is no number", trailersOnly("\x1b[31m"), 0, ""},

	{"nothing", "", Failed, ""},
	{"settings", settings, Failed, ""},
	{"headers", settings + frame(headersFrame, endHeaders, 1, headers), Failed, ""},
	{"no trailers", settings + frame(headersFrame, endHeaders, 1, headers) + frame(dataFrame, endStream, 1, serving), Failed, "closed after half an answer"},
	{
		"the status before the message", settings + frame(headersFrame, endHeaders, 1, headers+field("grpc-status", "0")) + frame(dataFrame, endStream, 1, serving),
		Failed, "closed after half an answer",
	},
	{"half an answer", grpcAnswer(serving, "0")[:len(grpcAnswer(serving, "0"))-1], Failed, ""},
	{"success without a message", trailersOnly("0"), Failed, "not an answer of grpc.health.v1"},
	{"another message", grpcAnswer("\x00\x00\x00\x00\x03\x0a\x01a", "0"), Failed, "not an answer of grpc.health.v1"},
	{"another status of serving", grpcAnswer("\x00\x00\x00\x00\x02\x08\x04", "0"), Failed, "not an answer of grpc.health.v1"},
	{"a compressed message", grpcAnswer("\x01"+serving[1:], "0"), Failed, "not an answer of grpc.health.v1"},
	{"half a message", grpcAnswer(serving[:6], "0"), Failed, "not an answer of grpc.health.v1"},
	{"two messages", grpcAnswer(serving+serving, "0"), Failed, "not an answer of grpc.health.v1"},
	{"a long message", grpcAnswer(serving+strings.Repeat("x", 1000), "0"), Failed, "not an answer of grpc.health.v1"},
	{"a reset stream", settings + frame(resetFrame, 0, 1, "\x00\x00\x00\x07"), Failed, ""},
	{"going away", settings + frame(goAwayFrame, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00"), Failed, ""},
	{"no settings", frame(headersFrame, endHeaders|endStream, 1, headers), Failed, ""},
	{"another status", settings + frame(headersFrame, endHeaders|endStream, 1, "\x8d"), Failed, "status 404, not a gRPC answer"}, // 0x8d is 404
	{"another content", settings + frame(headersFrame, endHeaders|endStream, 1, "\x88"+field("content-type", "text/html")), Failed, "status 200, not a gRPC answer"},
	{"headers without an end", settings + frame(headersFrame, endHeaders, 1, headers+strings.Repeat(field("x", strings.Repeat("x", 100)), 150)), Failed, ""},
	{"HTTP/1.1", "HTTP/1.1 400 Bad Request\r\n\r\n", Failed, "not a gRPC answer"},
	{"another protocol", "-ERR\r\n220 mail\r\n", Failed, ""},
	{"TLS", tlsRefusal, Failed, ""},
}

// readGRPCRequest reads a complete request: the preface, and all frames of one stream.
func readGRPCRequest(conn net.Conn) {
	r := bufio.NewReader(conn)
	_, _ = io.CopyN(io.Discard, r, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	for header := make([]byte, 9); ; {
		if _, err := io.ReadFull(r, header); err != nil {
			return
		}
		length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		_, _ = io.CopyN(io.Discard, r, length)
		if header[3] == dataFrame && header[4]&endStream != 0 {
			return
		}
	}
}

// saysGRPC returns a server that answers a request with text, and closes the connection
// when the client does.
func saysGRPC(text string) func(net.Conn) {
	return func(conn net.Conn) {
		readGRPCRequest(conn)
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
		hang(conn)
	}
}

// silenceLog silences package log, where net/http writes some errors of HTTP/2.
func silenceLog(t testing.TB) {
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}

func TestGRPCReplies(t *testing.T) {
	silenceLog(t)
	for _, test := range healthAnswers {
		t.Run(test.name, func(t *testing.T) {
			answer := probe(t, mustParse(t, "grpc://"+serve(t, "127.0.0.1:0", saysGRPC(test.sent))))
			if test.outcome != 0 && answer.Outcome != test.outcome || answer.Outcome == Ready && test.outcome != Ready {
				t.Errorf("outcome %v, want %v", answer.Outcome, test.outcome)
			}
			if test.detail != "" && !strings.HasSuffix(answer.Detail, ": "+test.detail) {
				t.Errorf("detail %q, want %q", answer.Detail, test.detail)
			}
		})
	}
}

// FuzzGRPCReply lets a server send anything in the form of a gRPC answer.
func FuzzGRPCReply(f *testing.F) {
	for _, data := range []string{"", serving, serving + serving, serving[:6], "\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x02\x08\x02", "\x00\xff\xff\xff\xff\x08\x01"} {
		for _, status := range []string{"", "0", "5", "12", "14", "99", "\x1b", "00"} {
			f.Add(200, "application/grpc", []byte(data), status, false)
			f.Add(200, "application/grpc+proto", []byte(data), status, true)
		}
	}
	f.Add(404, "text/html", []byte("not found"), "", false)
	accepting := grpcProbe{options: options{statuses: []statuses{{12, 12}}}}
	f.Fuzz(func(t *testing.T, code int, content string, data []byte, status string, only bool) {
		response := &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {content}}, Body: io.NopCloser(bytes.NewReader(data))}
		place := &response.Trailer
		if only {
			place = &response.Header
		}
		if *place == nil {
			*place = http.Header{}
		}
		place.Set("Grpc-Status", status)
		if grpcCode(status) == "UNIMPLEMENTED" {
			accepted := accepting.readHealth(response)
			checkReply(t, data, accepted)
			return
		}
		answer := grpcProbe{}.readHealth(response)
		checkReply(t, data, answer)
		if answer.Outcome == Ready && (code != 200 || only || status != "0" || len(data) < 7 || data[5] != 8 || data[6]&0x7f != 1) {
			t.Errorf("%d %q %q %q is ready", code, content, data, status)
		}
	})
}

// FuzzGRPCBytes lets a server send any bytes.
func FuzzGRPCBytes(f *testing.F) {
	for _, test := range healthAnswers {
		f.Add([]byte(test.sent))
	}
	silenceLog(f)
	probe := mustParse(f, "grpc://localhost:1").Prober.(*connProbe)
	f.Fuzz(func(t *testing.T, said []byte) {
		client, server := net.Pipe()
		defer client.Close()
		over := make(chan struct{})
		go func() {
			defer close(over)
			readGRPCRequest(server)
			go func() { _, _ = server.Write(said); server.Close() }()
			hang(server)
		}()
		answer := probe.exchange(t.Context(), client)
		client.Close()
		<-over
		checkReply(t, said, answer)
		if answer.Outcome == Ready && !bytes.Contains(said, []byte(serving)) && !bytes.Contains(said, []byte("\x08\x01")) {
			t.Errorf("%q is ready", said)
		}
	})
}
