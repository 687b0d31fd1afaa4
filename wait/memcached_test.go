package wait

// This file covers the scheme memcached, against memcached and against scripted replies.

import (
	"bufio"
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func startMemcached(t testing.TB, port string, args ...string) *daemon {
	t.Helper()
	need(t, "memcached")
	return start(t, ownDir(t), syscall.SIGKILL, "memcached", append([]string{"-l", "127.0.0.1", "-p", port, "-U", "0", "-m", "8", "-t", "1"}, args...)...)
}

func TestMemcached(t *testing.T) {
	port := unusedPort(t)
	at := "memcached://us3r:s3cret@127.0.0.1:" + port
	wantAnswer(t, at, Refused, "connection refused")
	server := startMemcached(t, port, "-v", "-c", "50")
	server.becomes(at, Ready, "VERSION")
	wantAnswer(t, "memcached://localhost:"+port, Ready, "VERSION")
	if log := server.log(); log != "" {
		t.Errorf("logged\n%s", log)
	}
	for range 50 {
		openConn(t, "127.0.0.1:"+port)
	}
	server.becomes(at, NotReady, "ERROR: the server has its maximum number of connections")
	server.stop()
	wantAnswer(t, at, Refused, "connection refused")
}

// A server that wants a password is ready. The probe sends none.
func TestMemcachedPassword(t *testing.T) {
	port := unusedPort(t)
	users := write(t, ownDir(t), "users", "us3r:s3cret\n")
	startMemcached(t, port, "-Y", users).becomes("memcached://us3r:s3cret@127.0.0.1:"+port, Ready, "it asks for authentication")
}

// A server that speaks its binary protocol only waits for more than a text.
func TestMemcachedBinary(t *testing.T) {
	port := unusedPort(t)
	startMemcached(t, port, "-B", "binary").becomes("tcp://127.0.0.1:"+port, Ready, "connected")
	if answer := probeFor(t, mustParse(t, "memcached://127.0.0.1:"+port), Timeout, ""); !matches(answer, Timeout, "no answer in time") {
		t.Errorf("%v", answer)
	}
}

// A proxy hands the question on to a server.
func TestMemcachedBehindTwemproxy(t *testing.T) {
	need(t, "nutcracker")
	dir, port, serverPort := ownDir(t), unusedPort(t), unusedPort(t)
	proxy := start(t, dir, syscall.SIGKILL, "nutcracker", "-o", filepath.Join(dir, "nutcracker.log"), "-s", unusedPort(t), "-c", write(t, dir, "nutcracker.yml", `
pool:
  listen: 127.0.0.1:`+port+`
  servers:
   - 127.0.0.1:`+serverPort+`:1
`))
	proxy.becomes("memcached://127.0.0.1:"+port, NotReady, "SERVER_ERROR: the server cannot answer")
	startMemcached(t, serverPort)
	proxy.becomes("memcached://127.0.0.1:"+port, Ready, "VERSION")
}

func TestMemcachedTLS(t *testing.T) {
	port := unusedPort(t)
	files := certify(t, ownDir(t))
	startMemcached(t, port, "-Z", "-o", "ssl_chain_cert="+files.cert+",ssl_key="+files.key).becomes("tcp://127.0.0.1:"+port, Ready, "connected")
	target := mustParse(t, "memcached://127.0.0.1:"+port)
	checkNotReady(t, "of a server of TLS", target.Prober.Probe(withTimeout(t, ample)))
	if got := target.AskTLS(t.Context()); got != portOnly {
		t.Errorf("write %q", got)
	}
}

// versions holds answers to version, and what they mean.
var versions = []replyCase{
	{"VERSION 1.6.18\r\n", Ready, "VERSION"},
	{"VERSION mcrouter 41\r\nmore", Ready, "VERSION"},
	{"CLIENT_ERROR unauthenticated\r\n", Ready, "it asks for authentication"},
	{"ERROR Too many open connections\r\n", NotReady, "ERROR: the server has its maximum number of connections"},
	{"SERVER_ERROR Connection refused\r\n", NotReady, "SERVER_ERROR: the server cannot answer"},

	{"", Failed, "closed without an answer"},
	{"V", Failed, "closed after half an answer"},
	{"VERSION 1.6.18\r", Failed, "closed after half an answer"},
	{"VERSION 1.6.18\n", Failed, "not a memcached answer"},
	{"VERSION \r\n", Failed, "not a memcached answer"},
	{"VERSION\r\n", Failed, "not a memcached answer"},
	{"ERROR\r\n", Failed, "not a memcached answer"},
	{"CLIENT_ERROR bad command line format\r\n", Failed, "not a memcached answer"},
	{"SSH-2.0-OpenSSH_9.2\r\n", Failed, "not a memcached answer"},
	{"-ERR unknown command\r\n", Failed, "not a memcached answer"},
	{"HTTP/1.1 400 Bad Request\r\n", Failed, "not a memcached answer"},
	{"VERSION " + strings.Repeat("1", 1<<20), Failed, "not a memcached answer"},
	{tlsRefusal, Failed, "not a memcached answer"},
}

func TestMemcachedReplies(t *testing.T) {
	checkReplies(t, versions, readMemcached)
}

// A probe sends one command, and no credentials.
func TestMemcachedRequest(t *testing.T) {
	sent := make(chan string, 1)
	addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
		request := make([]byte, 100)
		n, _ := conn.Read(request)
		sent <- string(request[:n])
		_, _ = conn.Write([]byte("VERSION 1.6.18\r\n"))
		hang(conn)
	})
	wantAnswer(t, "memcached://us3r:s3cret@"+addr, Ready, "VERSION")
	if got := <-sent; got != "version\r\n" {
		t.Errorf("sent %q", got)
	}
}

// FuzzMemcachedReply lets a server send any bytes.
func FuzzMemcachedReply(f *testing.F) {
	addReplies(f, versions)
	f.Fuzz(func(t *testing.T, reply []byte) {
		answer := readMemcached(bufio.NewReaderSize(bytes.NewReader(reply), smallBuffer))
		checkReply(t, reply, answer)
		line, _, whole := bytes.Cut(reply, []byte("\r\n"))
		isVersion := bytes.HasPrefix(line, []byte("VERSION ")) && len(line) > len("VERSION ")
		if answer.Outcome == Ready && (!whole || !isVersion && string(line) != "CLIENT_ERROR unauthenticated") {
			t.Errorf("%q is ready: %v", reply, answer)
		}
	})
}
