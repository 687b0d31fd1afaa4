package wait

// This file covers the scheme mysql, against MariaDB and against scripted replies.

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A server that lets in nobody without TLS greets as others do.
func TestMySQL(t *testing.T) {
	port := unusedPort(t)
	files := certify(t, ownDir(t))
	at := "mysql://us3r:s3cret@127.0.0.1:" + port + "/db"
	wantAnswer(t, at, Refused, "connection refused")
	server := startMariaDB(t, port, "--skip-grant-tables", "--max-connections=10", "--skip-name-resolve",
		"--require-secure-transport", "--ssl-cert="+files.cert, "--ssl-key="+files.key, "--ssl-ca="+files.ca)
	server.becomes(at, Ready, "it greets")
	wantAnswer(t, "mysql://localhost:"+port, Ready, "it greets")

	// The server accepts one connection more than max_connections, for an administrator.
	for range 11 {
		conn := openConn(t, "127.0.0.1:"+port)
		if _, err := conn.Read(make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	server.becomes(at, NotReady, "error 1040: too many connections")
	server.stop()
	wantAnswer(t, at, Refused, "connection refused")
}

// A server counts the connections from a host that do not log in, and blocks the host after
// too many of them. It does not count those from loopback or from a host without a name.
func TestMySQLHostBlocked(t *testing.T) {
	need(t, "mount", "mariadbd")
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n10.9.8.7 pod.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if !inOwnNetwork(t, `ip addr add 10.9.8.7/32 dev lo
		exec unshare --mount sh -ec 'mount --bind `+hosts+` /etc/hosts; exec "$@"' sh "$@"`) {
		return
	}
	port := unusedPort(t)
	server := startMariaDB(t, port, "--skip-grant-tables", "--max-connect-errors=3", "--bind-address=0.0.0.0")
	server.becomes("mysql://127.0.0.1:"+port, Ready, "it greets")
	for range 10 {
		wantAnswer(t, "mysql://127.0.0.1:"+port, Ready, "it greets")
	}
	const blocked = "error 1129: this host is blocked because of too many connection errors; run mysqladmin flush-hosts, and raise max_connect_errors"
	wantAnswer(t, "mysql://10.9.8.7:"+port, Ready, "it greets")
	server.becomes("mysql://10.9.8.7:"+port, NotReady, blocked)
}

// A server without a user for this host answers with an error.
func TestMySQLHostNotAllowed(t *testing.T) {
	skipInShort(t)
	need(t, "mariadb-install-db")
	port, dir := unusedPort(t), ownDir(t)
	data := filepath.Join(dir, "data")
	run(t, command(dir, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--skip-test-db"))
	server := startMariaDB(t, port, "--datadir="+data, "--skip-name-resolve")
	server.becomes("mysql://127.0.0.1:"+port, NotReady, "error 1130: this host may not connect; create the user for it on the server")
}

// packet returns a packet of MySQL.
func packet(number byte, payload string) string {
	n := len(payload)
	return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), number}) + payload
}

// greetingTail follows the version of the server in its greeting.
const greetingTail = "\x00\x08\x00\x00\x00saltsalt\x00\xff\xf7\x08\x02\x00\xff\x81\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00more salt   \x00mysql_native_password\x00"

// longGreeting is the longest that is read.
var longGreeting = "\x0a8.0.36" + greetingTail + strings.Repeat("x", maxGreeting-len("\x0a8.0.36"+greetingTail))

// greetings holds the first packets that a server may send, and what they mean.
var greetings = []replyCase{
	{packet(0, "\x0a8.0.36"+greetingTail), Ready, "it greets"},
	{packet(0, "\x0a5.5.5-10.11.6-MariaDB-0+deb12u1"+greetingTail), Ready, "it greets"},
	{packet(0, "\x0a9.4.0"+greetingTail) + "more", Ready, "it greets"},
	{packet(0, longGreeting), Ready, "it greets"},
	{packet(0, "\xff\x10\x04Too many connections"), NotReady, "error 1040: too many connections"},
	{packet(0, "\xff\x10\x04"+strings.Repeat("x", 520)), NotReady, "error 1040: too many connections"},
	{packet(0, "\xff\x69\x04Host 'a' is blocked"), NotReady, "error 1129: this host is blocked because of too many connection errors; run mysqladmin flush-hosts, and raise max_connect_errors"},
	{packet(0, "\xff\x6a\x04Host 'a' is not allowed"), NotReady, "error 1130: this host may not connect; create the user for it on the server"},
	{packet(0, "\xff\x1d\x04\n\x1b[31m"), NotReady, "error 1053: the server does not accept the connection"},
	{packet(0, "\xff\xff\xff"), NotReady, "error 65535: the server does not accept the connection"},

	{"", Failed, "closed without an answer"},
	{"J", Failed, "closed after half an answer"},
	{"J\x00\x00\x00", Failed, "closed after half an answer"},
	{packet(0, "\x0a8.0.36"+greetingTail)[:50], Failed, "closed after half an answer"},
	{packet(0, "\xff\x10\x04Too many connections")[:10], Failed, "closed after half an answer"},
	{packet(1, "\x0a8.0.36"+greetingTail), Failed, "not a MySQL answer"},
	{packet(0, "\x098.0.36"+greetingTail), Failed, "not a MySQL answer"},
	{packet(0, "\x0aX.0.36"+greetingTail), Failed, "not a MySQL answer"},
	{packet(0, "\x0a"+greetingTail), Failed, "not a MySQL answer"},
	{packet(0, "\x0a8.0.36"), Failed, "not a MySQL answer"},
	{packet(0, "\x0a8.0.36\x00\x08\x00\x00\x00salt"), Failed, "not a MySQL answer"},
	{packet(0, "\x0a8.0.36"+strings.Repeat("x", 100)), Failed, "not a MySQL answer"},
	{packet(0, "\xff\x10"), Failed, "not a MySQL answer"},
	{packet(0, ""), Failed, "not a MySQL answer"},
	{packet(0, longGreeting+"x"), Failed, "not a MySQL answer"},
	{"\x60\x04" + packet(0, "\x0a8.0.36"+greetingTail+strings.Repeat("x", 1000))[2:], Failed, "not a MySQL answer"},
	{"\x60\x00\x01" + packet(0, "\x0a8.0.36"+greetingTail+strings.Repeat("x", 1000))[3:], Failed, "not a MySQL answer"},
	{"\x05\x00\x00\x00\x0b\x08\x05\x1a\x00", Failed, "not a MySQL answer"}, // X Protocol, on port 33060
	{"\xff\xff\xff\x00" + strings.Repeat("x", 1000), Failed, "not a MySQL answer"},
	{"HTTP/1.1 400 Bad Request\r\n\r\n", Failed, "not a MySQL answer"},
	{"SSH-2.0-OpenSSH_9.2\r\n", Failed, "not a MySQL answer"},
	{tlsRefusal, Failed, "not a MySQL answer"},
}

func TestMySQLReplies(t *testing.T) {
	checkReplies(t, greetings, readGreeting)
}

// A probe sends nothing.
func TestMySQLRequest(t *testing.T) {
	sent := make(chan int, 1)
	addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = conn.Write([]byte(greetings[0].text))
		n, _ := conn.Read(make([]byte, 100))
		sent <- n
	})
	wantAnswer(t, "mysql://us3r:s3cret@"+addr, Ready, "it greets")
	if n := <-sent; n != 0 {
		t.Errorf("sent %d bytes", n)
	}
}

// FuzzMySQLReply lets a server send any bytes.
func FuzzMySQLReply(f *testing.F) {
	addReplies(f, greetings)
	f.Fuzz(func(t *testing.T, said []byte) {
		answer := readGreeting(bufio.NewReaderSize(bytes.NewReader(said), smallBuffer))
		checkReply(t, said, answer)
		if answer.Outcome != Ready {
			return
		}
		length := int(said[0]) | int(said[1])<<8 | int(said[2])<<16
		if said[3] != 0 || len(said) < length+4 || said[4] != 10 || said[5] < '0' || said[5] > '9' {
			t.Errorf("%q is ready: %v", said, answer)
		}
	})
}
