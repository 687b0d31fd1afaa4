package timeline

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
)

// TestFailures has the errors of languages and clients as they are written, and what is not one.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		text   string
		kind   Kind
		target string
	}{
		{"dial tcp 10.0.0.7:6379: connect: connection refused", Refused, "10.0.0.7:6379"},
		{"dial tcp [fd00::7]:6379: connect: connection refused", Refused, "[fd00::7]:6379"},
		{"dial tcp: lookup db.example on 10.96.0.10:53: no such host", Unresolved, "db.example"},
		{"dial tcp: lookup db.example on 10.96.0.10:53: read udp 10.0.0.5:41423->10.96.0.10:53: i/o timeout", TimedOut, "db.example"},
		{"read tcp 10.0.0.5:38624->10.0.0.7:8200: read: connection reset by peer", Reset, "10.0.0.7:8200"},
		{"write udp 127.0.0.1:41000->127.0.0.1:8125: write: connection refused", Refused, "127.0.0.1:8125"},
		{"java.net.ConnectException: Connection refused (Connection refused)", Refused, ""},
		{"java.net.UnknownHostException: db.example: Name or service not known", Unresolved, "db.example"},
		{"org.apache.http.conn.HttpHostConnectException: Connect to config.example:8080 [config.example/10.0.0.7] failed: Connection refused", Refused, "config.example:8080"},
		{"finishConnect(..) failed: Connection refused: /10.0.0.7:9092", Refused, "10.0.0.7:9092"},
		{"AggregateError [ECONNREFUSED]:", Refused, ""},
		{"Error: getaddrinfo EAI_AGAIN db.example", Unresolved, "db.example"},
		{"Error: read ECONNRESET", Reset, ""},
		{"Error: connect ETIMEDOUT 10.0.0.7:443", TimedOut, "10.0.0.7:443"},
		{"redis.exceptions.ConnectionError: Error 111 connecting to cache.example:6379. Connection refused.", Refused, "cache.example:6379"},
		{"socket.gaierror: [Errno -3] Temporary failure in name resolution", Unresolved, ""},
		{"ConnectionRefusedError: [Errno 111] Connection refused", Refused, ""},
		{"Errno::ECONNREFUSED: Connection refused - connect(2) for 10.0.0.7:6379", Refused, ""},
		{`PG::ConnectionBad: connection to server at "10.0.0.7", port 5432 failed: Connection refused`, Refused, "10.0.0.7:5432"},
		{"SQLSTATE[HY000] [2002] Connection refused", Refused, ""},
		{"stream_socket_client(): Unable to connect to tcp://10.0.0.7:6379 (Connection refused)", Refused, "10.0.0.7:6379"},
		{"php_network_getaddresses: getaddrinfo for db.example failed: Name or service not known", Unresolved, ""},
		{"System.Net.Sockets.SocketException (111): Connection refused [::ffff:10.0.0.7]:6379", Refused, ""},
		{"Npgsql.NpgsqlException: Failed to connect to 10.0.0.7:5432 ---> SocketException (111): Connection refused", Refused, "10.0.0.7:5432"},
		{"No connection could be made because the target machine actively refused it. (localhost:3500)", Refused, "localhost:3500"},
		{"tcp connect error: Connection refused (os error 111)", Refused, ""},
		{"failed to lookup address information: Name or service not known", Unresolved, ""}, // Rust
		{"curl: (6) Could not resolve host: www.example.com", Unresolved, "www.example.com"},
		{"Could not connect to Redis at cache:6379: Connection refused", Refused, "cache:6379"},
		{"Could not connect to Redis at cache.example:6379: Temporary failure in name resolution", Unresolved, "cache.example:6379"},
		{"Could not connect to Redis at 10.0.0.7:6379: Connection timed out", TimedOut, "10.0.0.7:6379"},
		{"dial tcp: lookup db.example on 10.96.0.10:53: read udp 10.0.0.5:41423->10.96.0.10:53: read: connection refused", Unresolved, "db.example"},
		{"Error: queryA ECONNREFUSED db.example", Unresolved, "db.example"},
		{`pymysql.err.OperationalError: (2003, "Can't connect to MySQL server on 'db.example' ([Errno 111] Connection refused)")`, Refused, "db.example"},
		{"rpc error: code = Unavailable desc = last connection error: connection error: desc = \"transport: Error while dialing: dial tcp 10.0.0.7:443: connect: connection refused\"", Refused, "10.0.0.7:443"},
		{"503 upstream connect error or disconnect/reset before headers. reset reason: connection failure, transport failure reason: delayed connect error: 111", Upstream, ""},
		{"no healthy upstream", Upstream, ""},
		{"nc: can't connect to remote host (10.0.0.7): Connection refused", Refused, "10.0.0.7"},
		{"refused to merge the branch", "", ""},
		{"GET /refused 200", "", ""},
		{"listening on 127.0.0.1:8080", "", ""},
	} {
		kind, _, _ := findFailure(test.text)
		if kind != test.kind {
			t.Errorf("%q is %q, want %q", test.text, kind, test.kind)
		}
		if got := findTarget(test.text); kind != "" && got != test.target {
			t.Errorf("%q is about %q, want %q", test.text, got, test.target)
		}
	}
}

// TestLongLog reads 100 MB with errors everywhere, and keeps little of it.
func TestLongLog(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const lines = 1 << 20
	began := time.Date(2026, 11, 22, 10, 41, 15, 0, time.UTC)
	log := func(yield func(evidence.Line) bool) {
		for i := range lines {
			text := "GET /orders 200, and so that the line has the length that lines of logs have, some more words"
			if i%4 == 0 {
				text = fmt.Sprintf("try %d of an application that does nothing else: dial tcp 10.0.0.7:6379: connect: connection refused", i)
			}
			if !yield(evidence.Line{At: began.Add(time.Duration(i) * time.Millisecond), Text: text}) {
				return
			}
		}
	}
	timeline := Build(&evidence.Evidence{Logs: []evidence.Log{{Container: "web", Lines: iter.Seq[evidence.Line](log)}}}, time.Time{})
	refused := timeline.Of("web", Refused)
	if len(refused) != keepFirst+keepLast {
		t.Fatalf("%d entries", len(refused))
	}
	if first, last := refused[0].At, refused[len(refused)-1].At; !first.Equal(began) || last.Before(began.Add((lines-5)*time.Millisecond)) {
		t.Errorf("from %v to %v: the first and the last must be there", first, last)
	}
	if stats, _ := timeline.Log("web"); stats.Lines != lines || !stats.Last.At.Equal(began.Add((lines-1)*time.Millisecond)) {
		t.Errorf("%d lines until %v", stats.Lines, stats.Last.At)
	}
}
