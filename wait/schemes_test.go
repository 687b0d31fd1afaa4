package wait

// This file covers what holds for all schemes alike: wrong protocols, proxies, failing
// servers, and the details of answers.

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// readyDetails holds the details of ready answers, for the schemes that distinguish a server
// from a program that only accepts connections.
var readyDetails = map[string]string{
	"http": "status 200", "https": "status 200", "redis": "PONG", "rediss": "PONG",
	"postgres": noAuthNeeded, "mysql": "it greets", "grpc": "SERVING", "grpcs": "SERVING",
	"mongodb": "it accepts writes", "kafka": "it answers", "kafkas": "it answers",
	"amqp": "Connection.Start", "amqps": "Connection.Start", "nats": "INFO", "memcached": "VERSION",
}

// targetURL returns a URL of scheme, with credentials that must not be shown.
func targetURL(scheme, addr string) string {
	at := scheme + "://us3r:s3cret@" + addr + "/?token=t0ken"
	if strings.HasPrefix(scheme, "grpc") {
		at = strings.Replace(at, "/?", "?", 1)
	}
	if tlsSchemes[scheme] {
		at += "#insecure"
	}
	return at
}

// checkNotReady checks that an answer is not ready, and its detail.
func checkNotReady(t *testing.T, what string, answer Answer) {
	t.Helper()
	if answer.Outcome == Ready {
		t.Errorf("%s: ready, %s", what, answer.Detail)
	}
	checkDetail(t, what, answer)
}

// checkDetail checks that a detail is one line without credentials.
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

// A probe is ready for the server of its own protocol only, and one of tcp for all.
func TestProbeOfOtherProtocolsServer(t *testing.T) {
	dir := ownDir(t)
	files := certify(t, dir)
	redis, rediss, postgres, mysql := unusedPort(t), unusedPort(t), unusedPort(t), unusedPort(t)
	amqp, amqps, nats, memcached := unusedPort(t), unusedPort(t), unusedPort(t), unusedPort(t)
	redisServer := startRedis(t, dir, redis, "--tls-port", rediss, "--tls-auth-clients", "no",
		"--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca)
	mysqlServer := startMariaDB(t, mysql, "--skip-grant-tables", "--skip-name-resolve")
	postgresServer := startPostgres(t, initPostgres(t, true), postgres, "host all all all trust")
	amqpServer := startRabbitMQ(t, rabbitSettings(t, amqp, amqps))
	natsServer, memcachedServer := startNATS(t, nats), startMemcached(t, memcached)
	servers := map[string]string{
		"redis": "127.0.0.1:" + redis, "rediss": "127.0.0.1:" + rediss, "postgres": "127.0.0.1:" + postgres, "mysql": "127.0.0.1:" + mysql,
		"amqp": "127.0.0.1:" + amqp, "amqps": "127.0.0.1:" + amqps, "nats": "127.0.0.1:" + nats, "memcached": "127.0.0.1:" + memcached,
		"kafka": startKafka(t), "kafkas": startKafka(t, "-cert", files.cert, "-key", files.key), "mongodb": startMongo(t),
		"grpc": startHealth(t).addr, "grpcs": startHealth(t, "-cert", files.cert, "-key", files.key).addr,
		"http": httpServer(t, false, (*http.Protocols).SetHTTP1), "https": httpServer(t, true, (*http.Protocols).SetHTTP1),
	}
	redisServer.becomes("redis://"+servers["redis"], Ready, "PONG")
	mysqlServer.becomes("mysql://"+servers["mysql"], Ready, "it greets")
	postgresServer.becomes("postgres://"+servers["postgres"], Ready, noAuthNeeded)
	amqpServer.becomes("amqps://"+servers["amqps"]+"#insecure", Ready, "Connection.Start")
	natsServer.becomes("nats://"+servers["nats"], Ready, "INFO")
	memcachedServer.becomes("memcached://"+servers["memcached"], Ready, "VERSION")
	var probes sync.WaitGroup // in parallel: many of them time out
	defer probes.Wait()
	for server, addr := range servers {
		wantAnswer(t, "tcp://"+addr, Ready, "connected")
		wantAnswer(t, targetURL(server, addr), Ready, readyDetails[server])
		for scheme := range readyDetails {
			if scheme == server {
				continue
			}
			target := mustParse(t, targetURL(scheme, addr))
			if !tlsSchemes[server] {
				probes.Go(func() {
					if got := target.AskTLS(withTimeout(t, brief)); got != "" {
						t.Errorf("a server of %s is taken for one of TLS: %s", server, got)
					}
				})
			}
			probes.Go(func() {
				answer := target.Prober.Probe(withTimeout(t, brief))
				checkNotReady(t, scheme+" of a server of "+server, answer)
				if answer.Outcome == NotReady && scheme != "http" { // an HTTP server may answer anything with 400
					t.Errorf("%s of a server of %s: %v", scheme, server, answer)
				}
			})
		}
	}
}

// A proxy accepts connections although there is no server behind it.
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
		for scheme := range readyDetails {
			want := Failed
			if name == "silent" {
				want = Timeout
			}
			answer := probeFor(t, mustParse(t, targetURL(scheme, "127.0.0.1:"+port)), want, "")
			checkNotReady(t, scheme+", "+name, answer)
			if answer.Outcome != want {
				t.Errorf("%s, %s: %v", scheme, name, answer)
			}
		}
	}
}

// readyAnswers holds the answers of servers that are ready, for the schemes without TLS.
var readyAnswers = map[string]string{
	"http":  statusOK + "Content-Length: 5\r\n\r\nready",
	"redis": "+PONG\r\n", "postgres": message('R', "\x00\x00\x00\x05salt"), "mysql": greetings[0].text, "grpc": grpcAnswer(serving, "0"),
	"mongodb": ferretReply, "kafka": kafkaResponses[0].text, "amqp": starts[0].text, "nats": infos[0].text, "memcached": versions[0].text,
}

// awaitRequest reads the request of a probe of scheme, if it sends one first.
func awaitRequest(scheme string, conn net.Conn) {
	switch scheme {
	case "grpc":
		readGRPCRequest(conn)
	case "http":
		readRequest(conn)
	case "redis", "postgres", "mongodb", "kafka", "amqp", "memcached":
		_, _ = conn.Read(make([]byte, 1<<10))
	}
}

// Whatever a server does, a probe of any scheme returns in time and uses little memory. It
// is ready only if the answer is complete, and says what went wrong.
func TestServersThatFail(t *testing.T) {
	silenceLog(t)
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
		outcome Outcome // 0: any except ready, after a brief probe
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
					awaitRequest(scheme, conn)
					test.server(conn, answer)
				})
				target := mustParse(t, targetURL(scheme, addr))
				got := probeFor(t, target, cmp.Or(test.outcome, Timeout), test.detail)
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

// No proper beginning of an answer is ready.
func TestIncompleteAnswers(t *testing.T) {
	for scheme, answer := range readyAnswers {
		for length := range len(answer) {
			addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
				awaitRequest(scheme, conn)
				_, _ = io.WriteString(conn, answer[:length])
			})
			got := askOnce(t, scheme+"://"+addr)
			if got.Outcome != Failed {
				t.Errorf("%s, %q: %v", scheme, answer[:length], got)
			}
		}
	}
}

// The details distinguish what went wrong.
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
	unusedAddr := "127.0.0.1:" + unusedPort(t)
	for _, test := range []struct {
		at      string
		outcome Outcome
		detail  string
	}{
		{targetURL("redis", unusedAddr), Refused, "PING redis://***@" + unusedAddr + "/?***: connection refused"},
		{targetURL("postgres", unusedAddr), Refused, "startup to postgres://***@" + unusedAddr + "/?***: connection refused"},
		{targetURL("mysql", unusedAddr), Refused, "greeting of mysql://***@" + unusedAddr + "/?***: connection refused"},
		{targetURL("grpc", unusedAddr), Refused, "health of grpc://***@" + unusedAddr + "?***: connection refused"},
		{targetURL("mongodb", unusedAddr), Refused, "hello to mongodb://***@" + unusedAddr + "/?***: connection refused"},
		{targetURL("kafka", unusedAddr), Refused, "ApiVersions of kafka://***@" + unusedAddr + "/?***: connection refused"},
		{targetURL("amqp", unusedAddr), Refused, "Start of amqp://***@" + unusedAddr + "/?***: connection refused"},
		{targetURL("nats", unusedAddr), Refused, "INFO of nats://***@" + unusedAddr + "/?***: connection refused"},
		{targetURL("memcached", unusedAddr), Refused, "version of memcached://***@" + unusedAddr + "/?***: connection refused"},
		{targetURL("tcp", unusedAddr), Refused, "connect tcp://***@" + unusedAddr + "/?***: connection refused"},
		{"redis://" + plain, Failed, "PING redis://" + plain + ": not a Redis answer"},
		{"postgres://" + plain, Failed, "startup to postgres://" + plain + ": not a PostgreSQL answer"},
		{"mysql://" + early, Failed, "greeting of mysql://" + early + ": not a MySQL answer"},
		{"kafka://" + plain, Failed, "ApiVersions of kafka://" + plain + ": not a Kafka answer"},
		{"amqp://" + plain, Failed, "Start of amqp://" + plain + ": not an AMQP answer"},
		{"nats://" + early, Failed, "INFO of nats://" + early + ": not a NATS answer"},
		{"memcached://" + plain, Failed, "version of memcached://" + plain + ": not a memcached answer"},
		{"grpc://" + plain, Failed, "health of grpc://" + plain + ": not a gRPC answer"},
		{"rediss://" + plain, Failed, "PING rediss://" + plain + ": TLS: the server does not speak TLS"},
		{"grpcs://" + plain, Failed, "health of grpcs://" + plain + ": TLS: the server does not speak TLS"},
		{"rediss://" + silent, Timeout, "PING rediss://" + silent + ": TLS: no answer in time; does the server speak TLS?"},
		{"redis://" + silent, Timeout, "PING redis://" + silent + ": no answer in time"},
	} {
		answer := probeFor(t, mustParse(t, test.at), test.outcome, test.detail)
		if answer.Outcome != test.outcome || answer.Detail != test.detail {
			t.Errorf("%s: %v, want %v %q", test.at, answer, test.outcome, test.detail)
		}
	}
}

// No probe is ready once its context has ended.
func TestReadyTooLate(t *testing.T) {
	for scheme, answer := range readyAnswers {
		ctx, cancel := context.WithCancel(t.Context())
		c := mustParse(t, scheme+"://"+serve(t, "127.0.0.1:0", func(conn net.Conn) {
			awaitRequest(scheme, conn)
			_, _ = io.WriteString(conn, answer)
			hang(conn)
		})).Prober.(*connProbe)
		exchange := c.exchange
		c.exchange = func(ctx context.Context, conn net.Conn) Answer {
			answer := exchange(ctx, conn)
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
