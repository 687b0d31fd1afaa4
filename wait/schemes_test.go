package wait

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// talking are the schemes that tell a server from something that accepts
// connections, and what they say of a ready one.
var talking = map[string]string{
	"http": "status 200", "https": "status 200", "redis": "PONG", "rediss": "PONG",
	"postgres": letIn, "mysql": "it greets", "grpc": "SERVING", "grpcs": "SERVING",
}

// target returns a URL of scheme, with credentials that must not be seen.
func target(scheme, addr string) string {
	at := scheme + "://us3r:s3cret@" + addr + "/?token=t0ken"
	if strings.HasPrefix(scheme, "grpc") {
		at = strings.Replace(at, "/?", "?", 1)
	}
	if secureSchemes[scheme] {
		at += "#insecure"
	}
	return at
}

// never checks that an answer is not ready, in one line and without credentials.
func never(t *testing.T, what string, answer Answer) {
	t.Helper()
	if answer.Outcome == Ready {
		t.Errorf("%s: ready, %s", what, answer.Detail)
	}
	checkDetail(t, what, answer)
}

func checkDetail(t *testing.T, what string, answer Answer) {
	t.Helper()
	for _, secret := range []string{"us3r", "s3cret", "t0ken"} {
		if strings.Contains(answer.Detail, secret) {
			t.Errorf("%s: %q shows %q", what, answer.Detail, secret)
		}
	}
	if printable(answer.Detail) != answer.Detail {
		t.Errorf("%s: %q", what, answer.Detail)
	}
}

// Every scheme is ready for its own server and for no other, and tcp for all.
func TestEachOthersServers(t *testing.T) {
	dir := ownDir(t)
	files := certify(t, dir)
	redis, rediss, postgres, mysql := unusedPort(t), unusedPort(t), unusedPort(t), unusedPort(t)
	redisServer := startRedis(t, dir, redis, "--tls-port", rediss, "--tls-auth-clients", "no",
		"--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca)
	mysqlServer := startMariaDB(t, mysql, "--skip-grant-tables", "--skip-name-resolve")
	postgresServer := startPostgres(t, initPostgres(t, true), postgres, "host all all all trust")
	servers := map[string]string{
		"redis": "127.0.0.1:" + redis, "rediss": "127.0.0.1:" + rediss, "postgres": "127.0.0.1:" + postgres, "mysql": "127.0.0.1:" + mysql,
		"grpc": startHealth(t).addr, "grpcs": startHealth(t, "-cert", files.cert, "-key", files.key).addr,
		"http": httpServer(t, false, (*http.Protocols).SetHTTP1), "https": httpServer(t, true, (*http.Protocols).SetHTTP1),
	}
	redisServer.becomes("redis://"+servers["redis"], Ready, "PONG")
	mysqlServer.becomes("mysql://"+servers["mysql"], Ready, "it greets")
	postgresServer.becomes("postgres://"+servers["postgres"], Ready, letIn)
	for server, addr := range servers {
		answers(t, "tcp://"+addr, Ready, "connected")
		for scheme, detail := range talking {
			if scheme == server {
				answers(t, target(scheme, addr), Ready, detail)
				continue
			}
			answer := probe(t, mustParse(t, target(scheme, addr)))
			never(t, scheme+" of a server of "+server, answer)
			if answer.Outcome == NotReady && scheme != "http" { // a server of HTTP may say 400 to anything
				t.Errorf("%s of a server of %s: %v", scheme, server, answer)
			}
		}
	}
}

// Behind a proxy without a server behind it, everything accepts.
func TestHAProxyWithoutServers(t *testing.T) {
	closing, failing, silent := unusedPort(t), unusedPort(t), unusedPort(t)
	proxy := startHAProxy(t, `
listen closing
  bind 127.0.0.1:`+closing+`
listen failing
  bind 127.0.0.1:`+failing+`
  server gone 127.0.0.1:`+unusedPort(t)+`
listen silent
  bind 127.0.0.1:`+silent+`
  tcp-request inspect-delay 10s
  tcp-request content accept if { req.len gt 1000000 }
`)
	for name, port := range map[string]string{"closing": closing, "failing": failing, "silent": silent} {
		proxy.becomes("tcp://127.0.0.1:"+port, Ready, "connected")
		for scheme := range talking {
			answer := probe(t, mustParse(t, target(scheme, "127.0.0.1:"+port)))
			never(t, scheme+", "+name, answer)
			if answer.Outcome == Refused || answer.Outcome == NotReady {
				t.Errorf("%s, %s: %v", scheme, name, answer)
			}
			if timeout := name == "silent"; timeout != (answer.Outcome == Timeout) {
				t.Errorf("%s, %s: %v", scheme, name, answer)
			}
		}
	}
}

// readyAnswers are what a server of a plain scheme says when it is ready.
var readyAnswers = map[string]string{
	"http":  statusOK + "Content-Length: 5\r\n\r\nready",
	"redis": "+PONG\r\n", "postgres": message('R', "\x00\x00\x00\x05salt"), "mysql": greetings[0].text, "grpc": grpcAnswer(serving, "0"),
}

// askedBy waits until the server is asked, as far as one of scheme is.
func askedBy(scheme string, conn net.Conn) {
	switch scheme {
	case "grpc":
		askedGRPC(conn)
	case "http":
		asked(conn)
	case "redis", "postgres":
		_, _ = conn.Read(make([]byte, 1<<10))
	}
}

// Whatever a server does, a probe of any scheme ends in time, takes little memory,
// is ready for nothing but a whole answer, and says what went wrong.
func TestServersThatFail(t *testing.T) {
	hush(t)
	endless := func(text string, pause time.Duration) func(net.Conn, string) {
		return func(conn net.Conn, _ string) {
			for again := []byte(text); ; time.Sleep(pause) {
				if _, err := conn.Write(again); err != nil {
					return
				}
			}
		}
	}
	kilobyte := func(text string) string { return strings.Repeat(text, 1<<10/len(text)) }
	for _, test := range []struct {
		name    string
		server  func(conn net.Conn, answer string)
		outcome Outcome // 0: any but ready
		detail  string
	}{
		{"ready", func(conn net.Conn, answer string) { _, _ = io.WriteString(conn, answer); hang(conn) }, Ready, ""},
		{"silent", func(conn net.Conn, _ string) { hang(conn) }, Timeout, "no answer in time"},
		{"closed", func(net.Conn, string) {}, Failed, "closed without an answer"},
		{"reset", func(conn net.Conn, _ string) { _ = conn.(*net.TCPConn).SetLinger(0) }, Failed, "connection reset"},
		{"half an answer, and silent", func(conn net.Conn, answer string) {
			_, _ = io.WriteString(conn, answer[:len(answer)-1])
			hang(conn)
		}, Timeout, ""},
		{"half an answer, and closed", func(conn net.Conn, answer string) { _, _ = io.WriteString(conn, answer[:len(answer)-1]) }, Failed, ""},
		{"half an answer, and reset", func(conn net.Conn, answer string) {
			_, _ = io.WriteString(conn, answer[:len(answer)-1])
			_ = conn.(*net.TCPConn).SetLinger(0)
		}, Failed, ""},
		{"letters without an end", endless(kilobyte("A"), 0), Failed, ""},
		{"zeros without an end", endless(kilobyte("\x00"), 0), Failed, ""},
		{"lines without an end", endless(kilobyte("0\r\n"), 0), Failed, ""},
		{"bytes without an end", endless(kilobyte("\xff"), 0), Failed, ""},
		{"pluses that drip", endless("+", 20*time.Millisecond), 0, ""},
		{"empty frames without an end", endless(strings.Repeat(frame(settingsFrame, 0, 0, ""), 100), 0), Failed, ""},
	} {
		for scheme, answer := range readyAnswers {
			t.Run(test.name+"/"+scheme, func(t *testing.T) {
				addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
					askedBy(scheme, conn)
					test.server(conn, answer)
				})
				got := probe(t, mustParse(t, target(scheme, addr)))
				checkDetail(t, test.name, got)
				if got.Outcome != test.outcome && (test.outcome != 0 || got.Outcome == Ready) {
					t.Errorf("%v, want %v", got, test.outcome)
				}
				if test.detail != "" && !strings.HasSuffix(got.Detail, ": "+test.detail) {
					t.Errorf("detail %q, want %q", got.Detail, test.detail)
				}
			})
		}
	}
}

// No beginning of an answer is one.
func TestBeginningsOfAnswers(t *testing.T) {
	for scheme, answer := range readyAnswers {
		for length := range len(answer) {
			addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
				askedBy(scheme, conn)
				_, _ = io.WriteString(conn, answer[:length])
			})
			got := ask1(t, scheme+"://"+addr)
			if got.Outcome != Failed {
				t.Errorf("%s, %q: %v", scheme, answer[:length], got)
			}
		}
	}
}

// What went wrong is told apart.
func TestDetails(t *testing.T) {
	plain := serve(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1<<10))
		_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
		hang(conn)
	})
	early := serve(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
		hang(conn)
	})
	silent := serve(t, "127.0.0.1:0", hang)
	nobody := "127.0.0.1:" + unusedPort(t)
	for _, test := range []struct {
		at      string
		outcome Outcome
		detail  string
	}{
		{target("redis", nobody), Refused, "PING redis://***@" + nobody + "/?***: connection refused"},
		{target("postgres", nobody), Refused, "startup to postgres://***@" + nobody + "/?***: connection refused"},
		{target("mysql", nobody), Refused, "greeting of mysql://***@" + nobody + "/?***: connection refused"},
		{target("grpc", nobody), Refused, "health of grpc://***@" + nobody + "?***: connection refused"},
		{target("tcp", nobody), Refused, "connect tcp://***@" + nobody + "/?***: connection refused"},
		{"redis://" + plain, Failed, "PING redis://" + plain + ": not a Redis answer"},
		{"postgres://" + plain, Failed, "startup to postgres://" + plain + ": not a PostgreSQL answer"},
		{"mysql://" + early, Failed, "greeting of mysql://" + early + ": not a MySQL answer"},
		{"grpc://" + plain, Failed, "health of grpc://" + plain + ": not a gRPC answer"},
		{"rediss://" + plain, Failed, "PING rediss://" + plain + ": TLS: the server does not speak TLS"},
		{"grpcs://" + plain, Failed, "health of grpcs://" + plain + ": TLS: the server does not speak TLS"},
		{"rediss://" + silent, Timeout, "PING rediss://" + silent + ": TLS: no answer in time; does the server speak TLS?"},
		{"redis://" + silent, Timeout, "PING redis://" + silent + ": no answer in time"},
	} {
		answer := probe(t, mustParse(t, test.at))
		if answer.Outcome != test.outcome || answer.Detail != test.detail {
			t.Errorf("%s: %v, want %v %q", test.at, answer, test.outcome, test.detail)
		}
	}
}

// Nothing is ready once the time for the probe is over.
func TestReadyTooLate(t *testing.T) {
	for scheme, answer := range readyAnswers {
		ctx, cancel := context.WithCancel(t.Context())
		c := mustParse(t, scheme+"://"+serve(t, "127.0.0.1:0", func(conn net.Conn) {
			askedBy(scheme, conn)
			_, _ = io.WriteString(conn, answer)
			hang(conn)
		})).Prober.(*conversation)
		talk := c.talk
		c.talk = func(ctx context.Context, conn net.Conn) Answer {
			answer := talk(ctx, conn)
			if answer.Outcome != Ready {
				t.Errorf("%s: %v", scheme, answer)
			}
			cancel()
			return answer
		}
		if answer := c.Probe(ctx); answer.Outcome == Ready {
			t.Errorf("%s: %v", scheme, answer)
		}
	}
}
