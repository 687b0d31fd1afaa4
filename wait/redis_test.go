package wait

// This file covers the schemes redis and rediss, against Redis and against scripted
// replies.

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRedis(t *testing.T) {
	port := unusedPort(t)
	addr := "127.0.0.1:" + port
	wantAnswer(t, "redis://"+addr, Refused, "connection refused")
	server := startRedis(t, ownDir(t), port)
	server.becomes("redis://"+addr, Ready, "PONG")
	wantAnswer(t, "redis://localhost:"+port, Ready, "PONG")
	wantAnswer(t, "redis://user:s3cret@"+addr+"/0", Ready, "PONG")

	// This connection takes the only place that CONFIG SET leaves.
	conn := openConn(t, addr)
	if got := tellRedis(t, addr, "CONFIG SET maxclients 1"); got != "+OK" {
		t.Fatal(got)
	}
	server.becomes("redis://"+addr, NotReady, "ERR: the server has its maximum number of clients")
	conn.Close()
	server.becomes("redis://"+addr, Ready, "PONG")

	server.stop()
	wantAnswer(t, "redis://"+addr, Refused, "connection refused")
}

// A server that requires a password is ready. The probe sends none.
func TestRedisPassword(t *testing.T) {
	addr := "127.0.0.1:" + unusedPort(t)
	server := startRedis(t, ownDir(t), addr[len("127.0.0.1:"):], "--requirepass", "s3cret")
	server.becomes("redis://:s3cret@"+addr, Ready, "NOAUTH")
}

// A proxy knows commands only in the form of arrays. It answers PING itself.
func TestRedisBehindTwemproxy(t *testing.T) {
	open, closed := unusedPort(t), unusedPort(t)
	startTwemproxy(t, open, unusedPort(t), "").becomes("redis://127.0.0.1:"+open, Ready, "PONG")
	startTwemproxy(t, closed, unusedPort(t), "  redis_auth: s3cret\n").becomes("redis://127.0.0.1:"+closed, Ready, "NOAUTH")
}

// A server without a password answers another machine with a long error.
func TestRedisProtectedMode(t *testing.T) {
	if !inOwnNetwork(t, "ip addr add 10.9.8.7/32 dev lo", "redis-server") {
		return
	}
	port := unusedPort(t)
	server := startRedis(t, ownDir(t), port, "--bind", "0.0.0.0")
	server.becomes("redis://127.0.0.1:"+port, Ready, "PONG")
	for range 5 {
		wantAnswer(t, "redis://10.9.8.7:"+port, NotReady, denied)
	}
	if got := tellRedis(t, "127.0.0.1:"+port, "CONFIG SET protected-mode no"); got != "+OK" {
		t.Fatal(got)
	}
	server.becomes("redis://10.9.8.7:"+port, Ready, "PONG")
}

const denied = "DENIED: protected mode lets in only the server's own machine; give the server a password (requirepass), or protected-mode no"

func TestRedisTLS(t *testing.T) {
	dir, port := ownDir(t), unusedPort(t)
	files := certify(t, dir)
	addr := "127.0.0.1:" + port
	server := startRedis(t, dir, "0", "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca)
	server.becomes("rediss://"+addr+"#ca="+files.ca, Ready, "PONG")
	wantAnswer(t, "rediss://localhost:"+port+"#ca="+files.ca, Ready, "PONG")
	wantAnswer(t, "rediss://"+addr+"#insecure", Ready, "PONG")
	const unknown = "TLS: x509: certificate signed by unknown authority; give its CA with #ca=/path, or trust any with #insecure"
	wantAnswer(t, "rediss://"+addr, Failed, unknown)
	other := certify(t, t.TempDir())
	if answer := askOnce(t, "rediss://"+addr+"#ca="+other.ca); answer.Outcome != Failed || !strings.Contains(answer.Detail, "TLS: x509: certificate signed by unknown authority") {
		t.Errorf("with another CA: %v", answer)
	}
	wantAnswer(t, "redis://"+addr, Failed, "connection reset")
}

// While a server loads a large file, it answers with an error. One that requires a password
// says so first.
func TestRedisLoading(t *testing.T) {
	dir, port := ownDir(t), unusedPort(t)
	addr := "127.0.0.1:" + port
	server := startRedis(t, dir, port, "--enable-debug-command", "yes")
	server.becomes("redis://"+addr, Ready, "PONG")
	for _, text := range []string{"DEBUG POPULATE 20000", "SAVE"} {
		if got := tellRedis(t, addr, text); got != "+OK" {
			t.Fatalf("%s: %s", text, got)
		}
	}
	server.stop()
	if info, err := os.Stat(filepath.Join(dir, "dump.rdb")); err != nil || info.Size() < 100<<10 {
		t.Fatal(info, err)
	}
	slowly := []string{"--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"}
	server = startRedis(t, dir, port, append(slowly, "--requirepass", "s3cret")...)
	server.becomes("redis://"+addr, Ready, "NOAUTH")
	if got := tellRedis(t, addr, "AUTH s3cret", "PING"); !strings.HasPrefix(got, "-LOADING ") {
		t.Errorf("it is not loading: %s", got)
	}
	server.stop()
	server = startRedis(t, dir, port, slowly...)
	server.becomes("redis://"+addr, NotReady, "LOADING: the server is reading its data from disk")
	if got := tellRedis(t, addr, "CONFIG SET key-load-delay 0"); got != "+OK" {
		t.Fatal(got)
	}
	server.becomes("redis://"+addr, Ready, "PONG")
}

func TestRedisReplicaWithoutMaster(t *testing.T) {
	port := unusedPort(t)
	addr := "127.0.0.1:" + port
	server := startRedis(t, ownDir(t), port, "--replicaof", "127.0.0.1 "+unusedPort(t), "--replica-serve-stale-data", "no")
	server.becomes("redis://"+addr, NotReady, "MASTERDOWN: the replica has lost its master")
	if got := tellRedis(t, addr, "CONFIG SET requirepass s3cret"); got != "+OK" {
		t.Fatal(got)
	}
	wantAnswer(t, "redis://"+addr, Ready, "NOAUTH") // it says nothing else without the password
	if got := tellRedis(t, addr, "AUTH s3cret", "CONFIG SET requirepass \"\"", "REPLICAOF NO ONE"); got != "+OK" {
		t.Fatal(got)
	}
	server.becomes("redis://"+addr, Ready, "PONG")
}

// pingAnswers holds replies to PING, and what they mean.
var pingAnswers = []replyCase{
	{"+PONG\r\n", Ready, "PONG"},
	{"+PONG\r\nmore", Ready, "PONG"},
	{"-NOAUTH Authentication required.\r\n", Ready, "NOAUTH"},
	{"-NOPERM this user has no permissions to run the 'ping' command\r\n", Ready, "NOPERM"},
	{"-ERR operation not permitted\r\n", Ready, "ERR"},
	{"-MISCONF Redis is configured to save RDB snapshots\r\n", Ready, "MISCONF"},
	{"-BUSY\r\n", Ready, "BUSY"},
	{"-LOADING Redis is loading the dataset in memory\r\n", NotReady, "LOADING: the server is reading its data from disk"},
	{"-LOADING\r\n", NotReady, "LOADING: the server is reading its data from disk"},
	{"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n", NotReady, "MASTERDOWN: the replica has lost its master"},
	{"-ERR max number of clients reached\r\n", NotReady, "ERR: the server has its maximum number of clients"},
	{"-ERR max number of clients + cluster connections reached\r\n", NotReady, "ERR: the server has its maximum number of clients"},
	{"-ERR " + strings.Repeat("x", 1<<20), Ready, "ERR"},
	{"-LOADING " + strings.Repeat("x", smallBuffer) + "\r\n", NotReady, "LOADING: the server is reading its data from disk"},
	{"-DENIED Redis is running in protected mode because " + strings.Repeat("x", 1000) + "\r\n", NotReady, denied},
	{"", Failed, "closed without an answer"},
	{"+", Failed, "closed after half an answer"},
	{"+PONG", Failed, "closed after half an answer"},
	{"-NOAUTH", Failed, "closed after half an answer"},
	{"+PONG\n", Failed, "not a Redis answer"},
	{"+PONG \r\n", Failed, "not a Redis answer"},
	{"+OK POP3 server ready\r\n", Failed, "not a Redis answer"},
	{"-ERR no\n", Failed, "not a Redis answer"},
	{"-no\r\n", Failed, "not a Redis answer"},
	{"-ERRX" + strings.Repeat("X", 20) + "\r\n", Failed, "not a Redis answer"},
	{"-\r\n", Failed, "not a Redis answer"},
	{"$4\r\nPONG\r\n", Failed, "not a Redis answer"},
	{"220 mail ESMTP\r\n", Failed, "not a Redis answer"},
	{"HTTP/1.1 400 Bad Request\r\n", Failed, "not a Redis answer"},
	{"-" + strings.Repeat("X", 1<<20), Failed, "not a Redis answer"},
	{"+PONG" + strings.Repeat(" ", 1<<20) + "\r\n", Failed, "not a Redis answer"},
	{tlsRefusal, Failed, "not a Redis answer"},
}

func TestRedisReplies(t *testing.T) {
	checkReplies(t, pingAnswers, readPong)
}

// A probe sends PING only, and no credentials.
func TestRedisRequest(t *testing.T) {
	sent := make(chan string, 1)
	addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
		request := make([]byte, 100)
		n, _ := conn.Read(request)
		sent <- string(request[:n])
		_, _ = conn.Write([]byte("+PONG\r\n"))
		hang(conn)
	})
	wantAnswer(t, "redis://us3r:s3cret@"+addr+"/1?token=t0ken", Ready, "PONG")
	if got := <-sent; got != "*1\r\n$4\r\nPING\r\n" {
		t.Errorf("sent %q", got)
	}
}

// FuzzRedisReply lets a server send any bytes.
func FuzzRedisReply(f *testing.F) {
	addReplies(f, pingAnswers)
	f.Fuzz(func(t *testing.T, reply []byte) {
		answer := readPong(bufio.NewReaderSize(bytes.NewReader(reply), smallBuffer))
		checkReply(t, reply, answer)
		if answer.Outcome != Ready {
			return
		}
		line, _, _ := bytes.Cut(reply, []byte("\r\n"))
		first, _, _ := strings.Cut(string(line), " ")
		isError := strings.HasPrefix(first, "-") && redisErrors[first[1:]] == ""
		if string(line) != "+PONG" && !isError {
			t.Errorf("%q is ready: %v", reply, answer)
		}
	})
}
