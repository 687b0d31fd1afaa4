package wait

// This file covers the schemes http and https, mostly against servers that do something
// wrong.

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// readRequest reads one request from conn.
func readRequest(conn net.Conn) {
	if request, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
		_, _ = io.Copy(io.Discard, request.Body)
	}
}

// says returns a server that answers a request with text and closes the connection.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, text)
	}
}

// saysAndHangs returns a server that answers a request with text and keeps the connection.
func saysAndHangs(text string) func(net.Conn) {
	return func(conn net.Conn) {
		says(text)(conn)
		hang(conn)
	}
}

// saysWithoutEnd returns a server that answers with head, and then sends more again and
// again.
func saysWithoutEnd(head, more string, pause time.Duration) func(net.Conn) {
	return func(conn net.Conn) {
		says(head)(conn)
		for again := []byte(more); ; time.Sleep(pause) {
			if _, err := conn.Write(again); err != nil {
				return
			}
		}
	}
}

// resets returns a server that answers with text and resets the connection.
func resets(text string) func(net.Conn) {
	return func(conn net.Conn) {
		says(text)(conn)
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
}

const (
	statusOK    = "HTTP/1.1 200 OK\r\n"
	unavailable = "HTTP/1.1 503 Service Unavailable\r\n"
	tlsRefusal  = "\x15\x03\x01\x00\x02\x02\x46" // a fatal alert, protocol_version, as OpenSSL answers a GET
)

// Whatever a server does, a probe returns in time, uses little memory, and is ready only if
// the answer is complete.
func TestHTTPServers(t *testing.T) {
	const drip = 20 * time.Millisecond
	for _, test := range []struct {
		name    string
		server  func(net.Conn)
		outcome Outcome
		detail  string
	}{
		{"ready", says(statusOK + "\r\n"), Ready, "status 200"},
		{"ready with a body", says(statusOK + "Content-Length: 5\r\n\r\nready"), Ready, "status 200"},
		{"ready in chunks", says(statusOK + "Transfer-Encoding: chunked\r\n\r\n5\r\nready\r\n0\r\n\r\n"), Ready, "status 200"},
		{"ready on a connection that stays open", saysAndHangs(statusOK + "Content-Length: 5\r\n\r\nready"), Ready, "status 200"},
		{"ready after early hints", says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + statusOK + "\r\n"), Ready, "status 200"},
		{"ready by HTTP/1.0", says("HTTP/1.0 200 OK\r\n\r\nready"), Ready, "status 200"},

		{"silent", hang, Timeout, "no answer in time"},
		{"silent after half a status", saysAndHangs("HTTP/1.1 20"), Timeout, "no answer in time"},
		{"silent after half a header", saysAndHangs(statusOK + "Content-"), Timeout, "no answer in time"},
		{"silent after half a body", saysAndHangs(statusOK + "Content-Length: 9\r\n\r\nre"), Timeout, "status 200, then its body: no answer in time"},
		{"silent after half the chunks", saysAndHangs(statusOK + "Transfer-Encoding: chunked\r\n\r\n5\r\nready\r\n"), Timeout, "status 200, then its body: no answer in time"},
		{"silent after 503", saysAndHangs(unavailable + "\r\nstarting"), NotReady, `status 503: "starting"`},

		{"closed at once", func(net.Conn) {}, Failed, ""}, // a FIN or, with the request unread, a reset
		{"closed without an answer", says(""), Failed, "closed without an answer"},
		{"closed in the status", says("HTTP/1.1 20"), Failed, "closed after half an answer"},
		{"closed in the header", says(statusOK + "Content-"), Failed, "closed after half an answer"},
		{"closed in the body", says(statusOK + "Content-Length: 9\r\n\r\nready"), Failed, "status 200, then its body: closed after half an answer"},
		{"closed in a long body", says(statusOK + "Content-Length: 900\r\n\r\n" + strings.Repeat("x", 300)), Failed, "status 200, then its body: closed after half an answer"},
		{"closed in the chunks", says(statusOK + "Transfer-Encoding: chunked\r\n\r\n5\r\nready\r\n"), Failed, "status 200, then its body: closed after half an answer"},
		{"closed after early hints", says("HTTP/1.1 103 Early Hints\r\n\r\n"), Failed, "closed after half an answer"},

		{"reset", resets(""), Failed, "connection reset"},
		{"reset in the header", resets(statusOK + "Content-"), Failed, "connection reset"},
		{"reset in the body", resets(statusOK + "Content-Length: 9\r\n\r\nready"), Failed, "status 200, then its body: connection reset"},
		{"reset after a body without a length", resets(statusOK + "\r\nready"), Failed, "status 200, then its body: connection reset"},

		{"a body without an end", saysWithoutEnd(statusOK+"\r\n", strings.Repeat("x", 8<<10), 0), Failed, "status 200, and a body longer than 1 MB"},
		{"chunks without an end", saysWithoutEnd(statusOK+"Transfer-Encoding: chunked\r\n\r\n", "1000\r\n"+strings.Repeat("x", 4<<10)+"\r\n", 0), Failed, "status 200, and a body longer than 1 MB"},
		{"a body that drips", saysWithoutEnd(statusOK+"\r\n", "x", drip), Timeout, "status 200, then its body: no answer in time"},
		{"a chunk's extension without an end", saysWithoutEnd(statusOK+"Transfer-Encoding: chunked\r\n\r\n1;", "xxxxxxxx", 0), Failed, ""},
		{"a body without an end after 503", saysWithoutEnd(unavailable+"\r\n", "starting ", 0), NotReady, `status 503: "` + strings.Repeat("starting ", 22) + `st"`},
		{"a status without an end", saysWithoutEnd("HTTP/1.1 200 ", strings.Repeat("O", 4<<10), 0), Failed, "its header is longer than 8 kB"},
		{"a header without an end", saysWithoutEnd(statusOK+"X: ", strings.Repeat("x", 4<<10), 0), Failed, "its header is longer than 8 kB"},
		{"headers without an end", saysWithoutEnd(statusOK, "X: x\r\n", 0), Failed, "its header is longer than 8 kB"},
		{"headers that drip", saysWithoutEnd(statusOK, "X: x\r\n", drip), Timeout, "no answer in time"},
		{"a huge header", says(statusOK + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"), Failed, "its header is longer than 8 kB"},
		{"1xx without an end", saysWithoutEnd("", "HTTP/1.1 103 Early Hints\r\n\r\n", 0), Failed, "its header is longer than 8 kB"},
		{"1xx that drip", saysWithoutEnd("", "HTTP/1.1 103 Early Hints\r\n\r\n", drip), Timeout, "no answer in time"},
		{"1xx before 503", says("HTTP/1.1 103 Early Hints\r\n\r\n" + unavailable + "\r\n"), NotReady, "status 503"},

		{"another protocol's banner", says("SSH-2.0-OpenSSH_9.2\r\n"), Failed, "not an HTTP answer"},
		{"another protocol's greeting", saysAndHangs("J\x00\x00\x00\x0a8.0.36"), Failed, "not an HTTP answer"},
		{"bytes", says("\x00\x01\x02\xff\xfe\n\n\n"), Failed, "not an HTTP answer"},
		{"bytes without an end", saysWithoutEnd("", strings.Repeat("\xff", 1<<10), 0), Failed, "not an HTTP answer"},
		{"a bad length", says(statusOK + "Content-Length: -1\r\n\r\n"), Failed, "not an HTTP answer"},
		{"two lengths", says(statusOK + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), Failed, "not an HTTP answer"},
		{"a length beyond numbers", says(statusOK + "Content-Length: 99999999999999999999\r\n\r\n"), Failed, "not an HTTP answer"},
		{"a bad chunk", says(statusOK + "Transfer-Encoding: chunked\r\n\r\nready\r\n"), Failed, "status 200, then its body: not an HTTP answer"},
		{"TLS", says(tlsRefusal), Failed, "it speaks TLS: write https://"},

		{"a redirect to a page that is ready", says("HTTP/1.1 302 Found\r\nLocation: /ready\r\nContent-Length: 0\r\n\r\n"), NotReady, "status 302 (a redirect is not followed)"},
		{"switched protocols", says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), NotReady, "status 101"},
		{"another 2xx", says("HTTP/1.1 204 No Content\r\n\r\n"), NotReady, "status 204"},
		{"not found", says("HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n"), NotReady, `status 404: "404 page not found"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := "http://" + serve(t, "127.0.0.1:0", test.server) + "/healthz"
			answer := probeFor(t, mustParse(t, at), test.outcome, test.detail)
			if answer.Outcome != test.outcome {
				t.Errorf("outcome %v, want %v", answer.Outcome, test.outcome)
			}
			if want := "GET " + at + ": " + test.detail; answer.Detail != want && test.detail != "" {
				t.Errorf("detail %q, want %q", answer.Detail, want)
			}
			switch {
			case answer.Outcome == Ready && answer.Err != nil:
				t.Errorf("error %v with %q", answer.Err, answer.Detail)
			case answer.Outcome == NotReady && !errors.As(answer.Err, new(StatusError)):
				t.Errorf("error %v with %q, want the status", answer.Err, answer.Detail)
			}
		})
	}
}

// When a program hangs and accepts no connections, its kernel still does.
func TestHTTPNotAccepted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if answer := probeWithin(t, brief, mustParse(t, "http://"+listener.Addr().String()+"/")); answer.Outcome != Timeout {
		t.Errorf("%v, want a timeout", answer)
	}
}

func TestHTTPRedirectLoop(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	answer := probe(t, mustParse(t, server.URL+"/loop"))
	if answer.Outcome != NotReady || requests.Load() != 1 {
		t.Errorf("%v after %d requests, want not_ready after 1", answer, requests.Load())
	}
}

// A probe sends exactly this. It sends neither user information nor the fragment.
func TestHTTPRequest(t *testing.T) {
	for _, test := range []struct{ name, target, want string }{
		{
			"plain", "http://HOST/healthz/ready",
			"GET /healthz/ready HTTP/1.1\r\nHost: HOST\r\nUser-Agent: startgate\r\nConnection: close\r\n\r\n",
		},
		{
			"no path", "http://HOST",
			"GET / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: startgate\r\nConnection: close\r\n\r\n",
		},
		{
			"path and query", "http://HOST/a%20b/%2F?q=%25&token=t0ken",
			"GET /a%20b/%2F?q=%25&token=t0ken HTTP/1.1\r\nHost: HOST\r\nUser-Agent: startgate\r\nConnection: close\r\n\r\n",
		},
		{
			"user information", "http://user:s3cret@HOST/up",
			"GET /up HTTP/1.1\r\nHost: HOST\r\nUser-Agent: startgate\r\nConnection: close\r\n\r\n",
		},
		{
			"header", "http://HOST/up#header=Metadata-Flavor:Google",
			"GET /up HTTP/1.1\r\nHost: HOST\r\nUser-Agent: startgate\r\nConnection: close\r\nMetadata-Flavor: Google\r\n\r\n",
		},
		{
			"headers", "http://HOST/up#header=X-Token:a%20%26%20b%3Ac&header=X-Token:%20d%20&status=200-299",
			"GET /up HTTP/1.1\r\nHost: HOST\r\nUser-Agent: startgate\r\nConnection: close\r\nX-Token: a & b:c\r\nX-Token: d\r\n\r\n",
		},
		{
			"host", "http://HOST/up#header=Host:app.example",
			"GET /up HTTP/1.1\r\nHost: app.example\r\nUser-Agent: startgate\r\nConnection: close\r\n\r\n",
		},
		{
			"user agent", "http://HOST/up#header=User-Agent:kube-probe/1.32",
			"GET /up HTTP/1.1\r\nHost: HOST\r\nUser-Agent: kube-probe/1.32\r\nConnection: close\r\n\r\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			requests := make(chan string, 2)
			host := serve(t, "127.0.0.1:0", func(conn net.Conn) {
				var request bytes.Buffer
				readRequest(teeConn{conn, &request})
				_, _ = io.WriteString(conn, statusOK+"Content-Length: 0\r\n\r\n")
				// The probe closes the connection without a reset.
				if _, err := io.Copy(io.Discard, conn); err != nil {
					fmt.Fprint(&request, err)
				}
				requests <- request.String()
			})
			target := mustParse(t, strings.ReplaceAll(test.target, "HOST", host))
			for range 2 { // the first probe does not change the second
				if answer := probe(t, target); answer.Outcome != Ready {
					t.Fatal(answer)
				}
				if got, want := <-requests, strings.ReplaceAll(test.want, "HOST", host); got != want {
					t.Errorf("sent\n%q, want\n%q", got, want)
				}
			}
		})
	}
}

// teeConn is a connection that records what is read from it.
type teeConn struct {
	net.Conn
	read *bytes.Buffer
}

func (c teeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Write(p[:n])
	return n, err
}

func TestHTTPStatus(t *testing.T) {
	for _, test := range []struct {
		options string
		ready   []int // of the statuses below
	}{
		{"", []int{200}},
		{"#status=204", []int{204}},
		{"#status=200-299", []int{200, 204, 299}},
		{"#status=200&status=401-403", []int{200, 401, 403}},
		{"#status=302", []int{302}},
		{"#status=503-503", []int{503}},
	} {
		for _, status := range []int{200, 204, 299, 300, 302, 400, 401, 403, 404, 500, 503, 599, 600, 999} {
			server := says(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status))
			answer := probe(t, mustParse(t, "http://"+serve(t, "127.0.0.1:0", server)+"/"+test.options))
			want := NotReady
			if slices.Contains(test.ready, status) {
				want = Ready
			}
			if answer.Outcome != want {
				t.Errorf("%q, status %d: %v, want %v", test.options, status, answer.Outcome, want)
			}
		}
	}
}

func TestHTTPBody(t *testing.T) {
	for _, test := range []struct {
		options, body string
		outcome       Outcome
		detail        string
	}{
		{"#body=ok", "ok", Ready, "status 200"},
		{"#body=ok", " ok\r\n", Ready, "status 200"},
		{"#body=up%20%26%20running", "up & running", Ready, "status 200"},
		{"#body=ok", "", NotReady, `status 200, and its body is not "ok"`},
		{"#body=ok", "ok, but", NotReady, `status 200, and its body is not "ok"`},
		{"#body=ok", "ok" + strings.Repeat(" ", 300) + "not", NotReady, `status 200, and its body is not "ok"`},
	} {
		at := "http://" + serve(t, "127.0.0.1:0", says(statusOK+"\r\n"+test.body)) + "/"
		answer := probe(t, mustParse(t, at+test.options))
		if answer.Outcome != test.outcome || answer.Detail != "GET "+at+": "+test.detail {
			t.Errorf("%s, %q: %v %q, want %v %q", test.options, test.body, answer.Outcome, answer.Detail, test.outcome, test.detail)
		}
	}
}

// scriptedConn is a connection to a server that sends this and ignores the request.
type scriptedConn struct {
	net.Conn // nil
	sent     io.Reader
	from     net.IP
}

func (r scriptedConn) Read(p []byte) (int, error)  { return r.sent.Read(p) }
func (r scriptedConn) Write(p []byte) (int, error) { return len(p), nil }
func (r scriptedConn) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: r.from, Port: 80} }

// The detail of an answer that is not accepted quotes the body if it comes from this machine:
// the beginning, without characters that would break a line of the log.
func TestHTTPQuote(t *testing.T) {
	local, other := net.IPv4(127, 0, 0, 1), net.IPv4(198, 51, 100, 7)
	for _, test := range []struct {
		name   string
		from   net.IP
		answer string
		want   string
	}{
		{"local", local, unavailable + "\r\nstarting\n", `status 503: "starting"`},
		{"local by IPv6", net.IPv6loopback, unavailable + "\r\nstarting\n", `status 503: "starting"`},
		{"another 127.0.0.0/8", net.IPv4(127, 8, 8, 8), unavailable + "\r\nstarting\n", `status 503: "starting"`},
		{"elsewhere", other, unavailable + "\r\nstarting\n", "status 503"},
		{"elsewhere, a redirect", other, "HTTP/1.1 301 X\r\nLocation: /t0ken\r\n\r\nmoved", "status 301 (a redirect is not followed)"},
		{"no more than 200 bytes", local, unavailable + "\r\n" + strings.Repeat("y", 300), `status 503: "` + strings.Repeat("y", 200) + `"`},
		{"nothing that breaks a line", local, unavailable + "\r\na\nb\x1b[31m\xff", `status 503: "a\nb\x1b[31m\xff"`},
		{"nothing but space", local, unavailable + "\r\n \r\n", "status 503"},
		{"not the reason of the status", local, "HTTP/1.1 503 \x1b[31m\r\n\r\n", "status 503"},
		{"accepted", local, statusOK + "\r\nall is well", "status 200"},
	} {
		exchange := mustParse(t, "http://localhost/").Prober.(*connProbe).exchange
		answer := exchange(t.Context(), scriptedConn{sent: strings.NewReader(test.answer), from: test.from})
		if answer.Detail != test.want {
			t.Errorf("%s: %s, want %s", test.name, answer.Detail, test.want)
		}
	}
}

// No detail, of a ready answer or another, shows what may be a credential.
func TestHTTPDetailHidesCredentials(t *testing.T) {
	for _, server := range []func(net.Conn){
		says(statusOK + "\r\n"), says(unavailable + "\r\n"), says("garbage\r\n"), says(""), says(tlsRefusal),
		resets(""), saysWithoutEnd(statusOK+"\r\n", strings.Repeat("x", 8<<10), 0),
	} {
		host := serve(t, "127.0.0.1:0", server)
		for _, at := range []string{host, "localhost:" + unusedPort(t), "startgate.invalid:80"} {
			target := mustParse(t, "http://us3r:s3cret@"+at+"/up?token=t0ken#header=Authorization:h3ader")
			answer := probeWithin(t, brief, target)
			for _, secret := range []string{"us3r", "s3cret", "t0ken", "h3ader"} {
				if strings.Contains(answer.Detail, secret) {
					t.Errorf("%q shows %q", answer.Detail, secret)
				}
			}
			if want := "GET http://***@" + at + "/up?***: "; !strings.HasPrefix(answer.Detail, want) {
				t.Errorf("%q does not begin with %q", answer.Detail, want)
			}
		}
	}
}

// A probe ignores the proxies in the environment.
func TestHTTPIgnoresProxies(t *testing.T) {
	var requests atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	// net/http never uses a proxy for loopback addresses, so these are others.
	for _, at := range []string{"http://startgate.invalid/", "http://198.51.100.1:9/", "https://198.51.100.1:9/#insecure"} {
		if answer := probeWithin(t, brief, mustParse(t, at)); answer.Outcome == Ready || requests.Load() > 0 {
			t.Errorf("%v, and the proxy had %d requests", answer, requests.Load())
		}
	}
}

// secureServer starts a server that speaks TLS with a certificate that is not trusted.
func secureServer(t *testing.T, config *tls.Config) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ready") }))
	server.TLS = config
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestHTTPS(t *testing.T) {
	server := secureServer(t, nil)
	_, _ = x509.SystemCertPool() // reads the system's certificates, which takes memory once
	ca := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	plain := serve(t, "127.0.0.1:0", says("HTTP/1.1 400 Bad Request\r\n\r\n"))
	silent := serve(t, "127.0.0.1:0", hang)
	closing := serve(t, "127.0.0.1:0", func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4<<10)) })
	refusing := serve(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4<<10))
		_, _ = io.WriteString(conn, "\x15\x03\x03\x00\x02\x02\x28")
	})
	for _, test := range []struct {
		name, target string
		outcome      Outcome
		detail       string
	}{
		{"trusted", "https://127.0.0.1:" + port + "/#ca=" + ca, Ready, "status 200"},
		{"insecure", "https://127.0.0.1:" + port + "/#insecure", Ready, "status 200"},
		{"insecure, another name", "https://localhost:" + port + "/#insecure", Ready, "status 200"},
		{"unknown CA", "https://127.0.0.1:" + port + "/", Failed, "TLS: x509: certificate signed by unknown authority; give its CA with #ca=/path, or trust any with #insecure"},
		{"another name", "https://localhost:" + port + "/#ca=" + ca, Failed, "TLS: tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not localhost"},
		{"plain HTTP", "https://" + plain + "/#insecure", Failed, "TLS: the server does not speak TLS"},
		{"no TLS asked for", "http://127.0.0.1:" + port + "/", NotReady, `status 400: "Client sent an HTTP request to an HTTPS server."`},
		{"silent", "https://" + silent + "/", Timeout, "TLS: no answer in time; does the server speak TLS?"},
		{"closed in the handshake", "https://" + closing + "/", Failed, "TLS: closed during the handshake"},
		{"refused in the handshake", "https://" + refusing + "/", Failed, "TLS: tls: handshake failure"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := probeFor(t, mustParse(t, test.target), test.outcome, test.detail)
			_, detail, _ := strings.Cut(answer.Detail, "/: ")
			if answer.Outcome != test.outcome || detail != test.detail {
				t.Errorf("%v %q, want %v %q", answer.Outcome, detail, test.outcome, test.detail)
			}
		})
	}
}

// Cancellation ends a probe at once, also in the middle of an answer.
func TestHTTPCancelled(t *testing.T) {
	for _, test := range []struct{ scheme, sent string }{
		{"http", ""},
		{"http", statusOK},
		{"http", statusOK + "\r\nhalf a"},
		{"http", unavailable + "\r\nhalf a"},
		{"https", ""},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		at := serve(t, "127.0.0.1:0", func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4<<10))
			_, _ = io.WriteString(conn, test.sent)
			cancel()
			hang(conn)
		})
		began := time.Now()
		answer := mustParse(t, test.scheme+"://"+at+"/").Prober.Probe(ctx)
		if took := time.Since(began); took > slack || answer.Outcome == Ready {
			t.Errorf("%s, after %q: %v in %v", test.scheme, test.sent, answer, took)
		}
	}
}

// A probe whose context has already ended is not ready.
func TestHTTPCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	at := serve(t, "127.0.0.1:0", says(statusOK+"\r\n"))
	if answer := mustParse(t, "http://"+at+"/").Prober.Probe(ctx); answer.Outcome == Ready {
		t.Errorf("%v", answer)
	}
}

// FuzzHTTPReply lets a server send any bytes.
func FuzzHTTPReply(f *testing.F) {
	for _, reply := range []string{
		"", statusOK, statusOK + "\r\n", unavailable + "\r\nstarting", tlsRefusal, "\x00", "HTTP/1.1 999 \r\n\r\n",
		statusOK + "Content-Length: 5\r\n\r\nready", statusOK + "Content-Length: 9\r\n\r\nready",
		statusOK + "Transfer-Encoding: chunked\r\n\r\n5\r\nready\r\n0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" + statusOK + "\r\n", "HTTP/1.1 302 Found\r\nLocation: http://a/\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 101 X\r\n\r\n",
	} {
		f.Add([]byte(reply))
	}
	target, err := url.Parse("http://us3r:s3cret@localhost/?token=t0ken")
	if err != nil {
		f.Fatal(err)
	}
	exchange := newHTTP(target, newEndpoint("localhost", "80"), options{header: http.Header{}}).(*connProbe).exchange
	f.Fuzz(func(t *testing.T, reply []byte) {
		answer := exchange(t.Context(), scriptedConn{sent: bytes.NewReader(reply), from: net.IPv6loopback})
		switch answer.Outcome {
		case Ready:
			whole := bytes.Contains(reply, []byte("\n\r\n")) || bytes.Contains(reply, []byte("\n\n"))
			if !whole || !bytes.Contains(reply, []byte(" 200")) || answer.Detail != "status 200" {
				t.Errorf("%q is ready: %s", reply, answer.Detail)
			}
		case NotReady, Failed:
		default:
			t.Errorf("%q is %v", reply, answer.Outcome)
		}
		if len(answer.Detail) > 100+4*maxQuote {
			t.Errorf("%q has %d bytes of detail", reply, len(answer.Detail))
		}
		if strings.ContainsFunc(answer.Detail, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q has a detail that breaks a line: %q", reply, answer.Detail)
		}
	})
}
