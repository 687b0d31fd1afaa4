package wait

// This file covers servers that speak TLS and are asked without, and servers that want a
// client's certificate.

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startTLSProxy starts a proxy that speaks TLS, with these options of HAProxy's bind, in
// front of nothing.
func startTLSProxy(t *testing.T, options string) (addr string) {
	t.Helper()
	addr = "127.0.0.1:" + unusedPort(t)
	startHAProxy(t, "listen tls\n  bind "+addr+" ssl "+options).becomes("tcp://"+addr, Ready, "connected")
	return addr
}

// bundle writes a certificate and its key into one file, as HAProxy wants it.
func bundle(t *testing.T, files certificates) string {
	t.Helper()
	cert, err1 := os.ReadFile(files.cert)
	key, err2 := os.ReadFile(files.key)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return write(t, filepath.Dir(files.cert), "both.pem", string(cert)+string(key))
}

// plainSchemes are the schemes without TLS, and what to write where a server speaks it.
var plainSchemes = map[string]string{
	"http": "https://", "redis": "rediss://", "grpc": "grpcs://", "postgres": portOnly, "mysql": portOnly,
	"kafka": "kafkas://", "amqp": "amqps://", "mongodb": portOnly, "nats": portOnly, "memcached": portOnly,
}

// Most servers that speak TLS close the connection when they are asked without. Asked once
// more, with TLS, they say so.
func TestServersOfTLS(t *testing.T) {
	dir := ownDir(t)
	files := certify(t, dir)
	redis := unusedPort(t)
	startRedis(t, dir, "0", "--tls-port", redis, "--tls-auth-clients", "no",
		"--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca).
		becomes("rediss://127.0.0.1:"+redis+"#insecure", Ready, "PONG")
	for server, addr := range map[string]string{
		"Redis": "127.0.0.1:" + redis, "HAProxy": startTLSProxy(t, "crt "+bundle(t, files)),
		"gRPC": startHealth(t, "-cert", files.cert, "-key", files.key).addr, "Go": httpServer(t, true, (*http.Protocols).SetHTTP1),
	} {
		for scheme, instead := range plainSchemes {
			target := mustParse(t, targetURL(scheme, addr))
			checkNotReady(t, scheme+" of "+server, target.Prober.Probe(withTimeout(t, brief)))
			if got := target.AskTLS(withTimeout(t, ample)); got != instead {
				t.Errorf("%s of %s: write %q, want %q", scheme, server, got, instead)
			}
		}
	}
	if got := mustParse(t, "redis://127.0.0.1:"+unusedPort(t)).AskTLS(t.Context()); got != "" {
		t.Errorf("of no server: %q", got)
	}
	if got := mustParse(t, "istio").AskTLS(t.Context()); got != "" {
		t.Errorf("of a sidecar: %q", got)
	}
}

// Some servers that speak TLS answer with an alert.
func TestServersThatAlert(t *testing.T) {
	for scheme, instead := range plainSchemes {
		addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
			awaitRequest(scheme, conn)
			_, _ = io.WriteString(conn, tlsRefusal)
			_ = conn.(*net.TCPConn).CloseWrite()
			hang(conn)
		})
		wantAnswer(t, scheme+"://"+addr, Failed, "it speaks TLS: write "+instead)
	}
}

// A server that requires a client's certificate refuses during the handshake, or with TLS
// 1.3 after it.
func TestClientCertificateRequired(t *testing.T) {
	dir := ownDir(t)
	files := certify(t, dir)
	redis := func(clients, protocol string) string {
		addr := "127.0.0.1:" + unusedPort(t)
		_, port, _ := net.SplitHostPort(addr)
		startRedis(t, ownDir(t), "0", "--tls-port", port, "--tls-auth-clients", clients, "--tls-protocols", protocol,
			"--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca).
			becomes("tcp://"+addr, Ready, "connected")
		return addr
	}
	proxy := func(options string) string {
		return startTLSProxy(t, "verify required ca-file "+files.ca+" crt "+bundle(t, files)+" "+options)
	}
	https := func(config *tls.Config) string { return secureServer(t, config).Listener.Addr().String() }
	required := tls.RequireAnyClientCert
	for _, test := range []struct{ server, target string }{
		{"Redis, TLS 1.2", "rediss://" + redis("yes", "TLSv1.2")},
		{"Redis, TLS 1.3", "rediss://" + redis("yes", "TLSv1.3")},
		{"HAProxy, TLS 1.2", "https://" + proxy("force-tlsv12") + "/"},
		{"HAProxy, TLS 1.3", "https://" + proxy("force-tlsv13") + "/"},
		{"Go, TLS 1.2", "https://" + https(&tls.Config{ClientAuth: required, MaxVersion: tls.VersionTLS12}) + "/"},
		{"Go, TLS 1.3", "https://" + https(&tls.Config{ClientAuth: required}) + "/"},
		{"gRPC", "grpcs://" + startHealth(t, "-cert", files.cert, "-key", files.key, "-clients").addr},
	} {
		for range 10 {
			answer := askOnce(t, test.target+"#insecure")
			if answer.Outcome != Failed || !strings.HasSuffix(answer.Detail, "; it asks for a client certificate, and startgate has none: write "+portOnly) {
				t.Fatalf("%s: %v", test.server, answer)
			}
		}
		t.Log(askOnce(t, test.target+"#insecure").Detail)
	}
	wantAnswer(t, "rediss://"+redis("optional", "TLSv1.3")+"#insecure", Ready, "PONG")
}

// Nginx answers 400 to a client without a certificate. Another answer has other reasons.
func TestClientCertificateMissed(t *testing.T) {
	for status, remark := range map[int]bool{400: true, 503: false} {
		server := httptest.NewUnstartedServer(reply{"/up", status, ""})
		server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		server.StartTLS()
		t.Cleanup(server.Close)
		answer := askOnce(t, server.URL+"/up#insecure")
		if answer.Outcome != NotReady || strings.Contains(answer.Detail, "it asks for a client certificate") != remark {
			t.Errorf("%d: %v", status, answer)
		}
	}
}
