package wait

// This file covers the scheme postgres, against PostgreSQL and against scripted replies.

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// openSession opens a session of the user postgres that lasts as long as the test. It tries
// again while the server has too many clients.
func openSession(d *daemon, addr string) net.Conn {
	d.t.Helper()
	const user = "\x00\x03\x00\x00user\x00postgres\x00\x00"
	var conn net.Conn
	eventually(d.t, "a session begins", func() bool {
		conn = openConn(d.t, addr)
		fmt.Fprint(conn, message(0, user)[1:])
		reply := make([]byte, 9)
		_, err := io.ReadFull(conn, reply)
		return err == nil && string(reply) == message('R', "\x00\x00\x00\x00")
	})
	return conn
}

// logProblems returns the lines of a log that report a problem.
func logProblems(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		for _, level := range []string{"LOG:  ", "DETAIL:", "HINT:"} {
			if strings.Contains(line, level) {
				line = ""
			}
		}
		if strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestPostgres(t *testing.T) {
	plain := initPostgres(t, false)
	withRole := initPostgres(t, true)
	files := certify(t, plain)
	for _, test := range []struct {
		name, data, hba string
		settings        []string
		detail          string // of the answer, which is ready
		logged          string // the only line that the probe may leave in the log, except lines of level LOG
	}{
		{"trust, without the role", plain, "host all all all trust", nil, noAuthNeeded, `FATAL:  role "startgate" does not exist`},
		{"trust, with the role", withRole, "host all all all trust", nil, noAuthNeeded, ""},
		{"scram", plain, "host all all all scram-sha-256", nil, "it asks for authentication", ""},
		{"md5", plain, "host all all all md5", nil, "it asks for authentication", ""},
		{"password", plain, "host all all all password", nil, "it asks for authentication", ""},
		{"reject", plain, "host all all all reject", nil, "it answers with 28000", "FATAL:  pg_hba.conf rejects connection"},
		{
			"TLS required", plain, "hostssl all all all scram-sha-256",
			[]string{"ssl=on", "ssl_cert_file=" + files.cert, "ssl_key_file=" + files.key},
			"it answers with 28000", "FATAL:  no pg_hba.conf entry for host",
		},
		{
			"client certificate required", plain, "hostssl all all all cert",
			[]string{"ssl=on", "ssl_cert_file=" + files.cert, "ssl_key_file=" + files.key, "ssl_ca_file=" + files.ca},
			"it answers with 28000", "FATAL:  no pg_hba.conf entry for host",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			port := unusedPort(t)
			at := "postgres://us3r:s3cret@127.0.0.1:" + port + "/db?password=t0ken"
			wantAnswer(t, at, Refused, "connection refused")
			settings := append([]string{"log_connections=on", "log_disconnections=on"}, test.settings...)
			server := startPostgres(t, test.data, port, test.hba, settings...)
			server.becomes(at, Ready, test.detail)
			log := len(server.log())
			wantAnswer(t, at, Ready, test.detail)
			server.quit = syscall.SIGTERM // waits until the sessions have ended and have written their logs
			server.stop()
			tail := server.log()[log:]
			lines := logProblems(tail)
			if len(lines) > 1 || len(lines) == 1 && (test.logged == "" || !strings.Contains(lines[0], test.logged)) {
				t.Errorf("logged\n%s", tail)
			}
			for _, bad := range []string{"could not", "unexpected EOF", "invalid", "incomplete", "reset", "s3cret", "t0ken"} {
				if strings.Contains(tail, bad) {
					t.Errorf("%q in the log:\n%s", bad, tail)
				}
			}
			if n := strings.Count(tail, "connection received"); n != 1 {
				t.Errorf("%d connections in the log:\n%s", n, tail)
			}
			wantAnswer(t, at, Refused, "connection refused")
		})
	}
}

const notNow = "57P03: the server is starting up, shutting down or recovering"

// A server in recovery answers connections with an error. This one waits for an archive
// until the test says that there is none.
func TestPostgresStarting(t *testing.T) {
	data, port := initPostgres(t, false), unusedPort(t)
	write(t, data, "recovery.signal", "")
	over := filepath.Join(data, "over")
	server := startPostgres(t, data, port, "host all all all trust",
		"restore_command=while [ ! -e "+over+" ]; do sleep 0.02; done; false")
	server.becomes("postgres://127.0.0.1:"+port, NotReady, notNow)
	if !strings.Contains(server.log(), "the database system is starting up") {
		t.Errorf("log:\n%s", server.log())
	}
	write(t, data, "over", "")
	server.becomes("postgres://127.0.0.1:"+port, Ready, noAuthNeeded)
}

// A standby that accepts no queries is not ready.
func TestPostgresColdStandby(t *testing.T) {
	data, port := initPostgres(t, false), unusedPort(t)
	write(t, data, "standby.signal", "")
	server := startPostgres(t, data, port, "host all all all trust", "hot_standby=off")
	server.becomes("postgres://127.0.0.1:"+port, NotReady, notNow)
	eventually(t, "the standby has begun to recover", func() bool { return strings.Contains(server.log(), "entering standby mode") })
	wantAnswer(t, "postgres://127.0.0.1:"+port, NotReady, notNow)
}

// During a smart shutdown, a server waits for open sessions and accepts no others.
func TestPostgresStopping(t *testing.T) {
	data, port := initPostgres(t, false), unusedPort(t)
	server := startPostgres(t, data, port, "host all all all trust")
	at := "postgres://127.0.0.1:" + port
	server.becomes(at, Ready, noAuthNeeded)
	open := openSession(server, "127.0.0.1:"+port)
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	server.becomes(at, NotReady, notNow)
	if !strings.Contains(server.log(), "the database system is shutting down") {
		t.Errorf("log:\n%s", server.log())
	}
	open.Close()
	<-server.exited
	wantAnswer(t, at, Refused, "connection refused")
}

// When the server accepts the session, the probe ends it properly: the server gets Terminate,
// and the connection is closed without a reset.
func TestPostgresTerminates(t *testing.T) {
	got := make(chan string, 1)
	addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1<<10))
		_, _ = io.WriteString(conn, message('R', "\x00\x00\x00\x00")+message('S', "a\x00"+strings.Repeat("b", 4<<10)+"\x00")+message('Z', "I"))
		text := make([]byte, 5)
		_, err := io.ReadFull(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, end := conn.Read(make([]byte, 1))
		got <- fmt.Sprintf("%q %v %v", text, err, end)
	})
	wantAnswer(t, "postgres://"+addr, Ready, noAuthNeeded)
	if want, got := `"X\x00\x00\x00\x04" <nil> EOF`, <-got; got != want {
		t.Errorf("the server got %s, want %s", got, want)
	}
}

// A server that accepts the session and then hangs is still ready, and in time.
func TestPostgresHangsInSession(t *testing.T) {
	at := "postgres://" + serve(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1<<10))
		_, _ = io.WriteString(conn, message('R', "\x00\x00\x00\x00"))
		hang(conn)
	})
	began := time.Now()
	wantAnswer(t, at, Ready, noAuthNeeded)
	if took := time.Since(began); took > maxTerminate+slack {
		t.Errorf("took %v", took)
	}
	if answer := probeFor(t, mustParse(t, at), Ready, noAuthNeeded); answer.Outcome != Ready {
		t.Errorf("with less time: %v", answer)
	}
}

// A server with too many clients is ready, by the rule of PQping.
func TestPostgresTooManyClients(t *testing.T) {
	data, port := initPostgres(t, true), unusedPort(t)
	server := startPostgres(t, data, port, "host all all all trust", "max_connections=1",
		"superuser_reserved_connections=0")
	at := "postgres://127.0.0.1:" + port
	server.becomes(at, Ready, noAuthNeeded)
	openSession(server, "127.0.0.1:"+port)
	server.becomes(at, Ready, "it answers with 53300")
}

// message returns a message of PostgreSQL.
func message(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))) + body
}

// postgresAnswers holds replies to a startup message, and what they mean.
var postgresAnswers = []replyCase{
	{message('R', "\x00\x00\x00\x00"), Ready, noAuthNeeded},
	{message('R', "\x00\x00\x00\x00") + message('S', "TimeZone\x00UTC\x00") + message('Z', "I"), Ready, noAuthNeeded},
	{message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), Ready, "it asks for authentication"},
	{message('R', "\x00\x00\x00\x05salt"), Ready, "it asks for authentication"},
	{message('E', "SFATAL\x00VFATAL\x00C28000\x00Mno\x00\x00"), Ready, "it answers with 28000"},
	{message('E', "SFATAL\x00C3D000\x00\x00"), Ready, "it answers with 3D000"},
	{message('E', "SFATAL\x00C53300\x00"), Ready, "it answers with 53300"},
	{message('E', "SFATAL\x00VFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"), NotReady, notNow},
	{message('E', "M"+strings.Repeat("x", 30000-4-1-8)+"\x00C28000\x00"), Ready, "it answers with 28000"}, // the longest
	{message('R', "\x00\x00\x00\x0a"+strings.Repeat("x", 2000-8)), Ready, "it asks for authentication"},
	{message('E', "MC28000\x00C57P03\x00\x00"), NotReady, notNow}, // the text looks like a code

	{"", Failed, "closed without an answer"},
	{"R", Failed, "closed after half an answer"},
	{"R\x00\x00\x00\x08", Failed, "closed after half an answer"},
	{"R\x00\x00\x00\x08\x00\x00", Failed, "closed after half an answer"},
	{"E\x00\x00\x00\x40SFATAL\x00C28000\x00", Failed, "closed after half an answer"},
	{message('E', "M"+strings.Repeat("x", 30000-4-1-7)+"\x00C28000\x00"), Failed, "not a PostgreSQL answer"},
	{message('R', "\x00\x00\x00\x0a"+strings.Repeat("x", 2000-7)), Failed, "not a PostgreSQL answer"},
	{message('R', "\x00\x00\x00"), Failed, "not a PostgreSQL answer"},
	{"E\x00\x00\x00\x07", Failed, "not a PostgreSQL answer"},
	{message('E', ""), Failed, "not a PostgreSQL answer"},
	{message('E', "\x00C28000\x00"), Failed, "not a PostgreSQL answer"}, // after the end of the fields
	{message('E', "C28000"), Failed, "not a PostgreSQL answer"},
	{message('E', "C28\n00\x00\x00"), Failed, "not a PostgreSQL answer"},
	{message('E', "C28\x1b00\x00\x00"), Failed, "not a PostgreSQL answer"},
	{message('E', "C280000\x00\x00"), Failed, "not a PostgreSQL answer"},
	{message('E', "SFATAL\x00Mno code\x00\x00"), Failed, "not a PostgreSQL answer"},
	{message('R', ""), Failed, "not a PostgreSQL answer"},
	{"R\x00\x00\x00\x00", Failed, "not a PostgreSQL answer"},
	{"E\x00\x00\x00\x03", Failed, "not a PostgreSQL answer"},
	{"E\xff\xff\xff\xff" + strings.Repeat("x", 100), Failed, "not a PostgreSQL answer"},
	{"Ecould not fork new process for connection: Resource temporarily unavailable\n\x00", Failed, "not a PostgreSQL answer"},
	{message('Z', "I"), Failed, "not a PostgreSQL answer"},
	{"N", Failed, "not a PostgreSQL answer"},
	{"HTTP/1.1 400 Bad Request\r\n\r\n", Failed, "not a PostgreSQL answer"},
	{"-ERR\r\n", Failed, "not a PostgreSQL answer"},
	{tlsRefusal, Failed, "not a PostgreSQL answer"},
}

func TestPostgresReplies(t *testing.T) {
	checkReplies(t, postgresAnswers, readPostgres)
}

// FuzzPostgresReply lets a server send any bytes.
func FuzzPostgresReply(f *testing.F) {
	addReplies(f, postgresAnswers)
	f.Fuzz(func(t *testing.T, reply []byte) {
		answer := readPostgres(bufio.NewReaderSize(bytes.NewReader(reply), smallBuffer))
		checkReply(t, reply, answer)
		if answer.Outcome != Ready {
			return
		}
		length := int(binary.BigEndian.Uint32(reply[1:])) + 1
		whole := (reply[0] == 'R' || reply[0] == 'E') && len(reply) >= length
		code := strings.TrimPrefix(answer.Detail, "it answers with ")
		if !whole || reply[0] == 'E' && (code == cannotConnectNow || !bytes.Contains(reply, []byte("C"+code+"\x00"))) {
			t.Errorf("%q is ready: %v", reply, answer)
		}
	})
}
