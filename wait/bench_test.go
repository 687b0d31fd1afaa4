package wait

// This file covers what probes cost: their time, and their memory when a server sends
// without end.

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cpu returns the CPU time that this process has used.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// readyTargets returns a target of each scheme that is ready. The servers of the schemes
// without TLS run in this process, so measurements of it include them.
func readyTargets(t testing.TB) map[string]Target {
	t.Helper()
	dir := ownDir(t)
	files := certify(t, dir)
	https, rediss := secureServers(t, dir, files)
	targets := map[string]Target{
		"tcp":    mustParse(t, "tcp://"+serve(t, "127.0.0.1:0", hang)),
		"file":   mustParse(t, "file://"+files.ca),
		"https":  mustParse(t, "https://127.0.0.1:"+https+"/#ca="+files.ca),
		"rediss": mustParse(t, "rediss://127.0.0.1:"+rediss+"#ca="+files.ca),
		"grpcs":  mustParse(t, "grpcs://"+startHealth(t, "-cert", files.cert, "-key", files.key).addr+"#ca="+files.ca),
	}
	for scheme, answer := range readyAnswers {
		addr := serve(t, "127.0.0.1:0", func(conn net.Conn) {
			awaitRequest(scheme, conn)
			_, _ = io.WriteString(conn, answer)
			hang(conn)
		})
		targets[scheme] = mustParse(t, scheme+"://"+addr)
	}
	return targets
}

// secureServers starts the servers for https and rediss, and returns their ports.
func secureServers(t testing.TB, dir string, files certificates) (https, rediss string) {
	t.Helper()
	https, rediss = unusedPort(t), unusedPort(t)
	both := ""
	for _, file := range []string{files.cert, files.key} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		both += string(text)
	}
	proxy := startHAProxy(t, `
listen https
  bind 127.0.0.1:`+https+` ssl crt `+write(t, dir, "both.pem", both)+`
  mode http
  http-request return status 200`)
	proxy.becomes("https://127.0.0.1:"+https+"/#ca="+files.ca, Ready, "status 200")
	redis := startRedis(t, dir, "0", "--tls-port", rediss, "--tls-auth-clients", "no",
		"--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca)
	redis.becomes("rediss://127.0.0.1:"+rediss+"#ca="+files.ca, Ready, "PONG")
	return https, rediss
}

// BenchmarkProbe measures one probe of a server that is ready.
func BenchmarkProbe(b *testing.B) {
	for scheme, target := range readyTargets(b) {
		b.Run(scheme, func(b *testing.B) {
			b.ReportAllocs()
			began := cpu(b)
			for b.Loop() {
				if answer := target.Prober.Probe(b.Context()); answer.Outcome != Ready {
					b.Fatal(answer)
				}
			}
			b.ReportMetric(float64((cpu(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// endlessConn is a connection to a server that sends first once, and then more again and
// again. Its reads record how much memory is in use. It ends after 8 MB.
type endlessConn struct {
	net.Conn    // nil
	first, more []byte

	mu          sync.Mutex // HTTP/2 reads in a goroutine, until the connection is closed
	closed      bool
	sent, reads int
	used        uint64
}

// heapInUse returns how much memory is in use, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func (t *endlessConn) Read(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reads++; t.reads < 50 || t.reads%50 == 0 {
		t.used = max(t.used, heapInUse())
	}
	if t.closed || t.sent > 8<<20 {
		return 0, io.EOF
	}
	n := 0
	if t.sent < len(t.first) {
		n = copy(p, t.first[t.sent:])
	} else {
		for n < len(p) {
			n += copy(p[n:], t.more[(t.sent+n-len(t.first))%len(t.more):])
		}
	}
	t.sent += n
	return n, nil
}

func (t *endlessConn) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return nil
}

// measured returns the most memory that was in use, and how much was sent.
func (t *endlessConn) measured() (used uint64, sent int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used, t.sent
}

func (t *endlessConn) Write(p []byte) (int, error)      { return len(p), nil }
func (t *endlessConn) SetDeadline(time.Time) error      { return nil }
func (t *endlessConn) SetReadDeadline(time.Time) error  { return nil }
func (t *endlessConn) SetWriteDeadline(time.Time) error { return nil }
func (t *endlessConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (t *endlessConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv6loopback} }

// endlessAnswers holds what a server may send without end, by scheme.
var endlessAnswers = map[string][]struct{ name, first, more string }{
	"http": {
		{"letters", "", "A"},
		{"a header", statusOK + "X: ", "x"},
		{"headers", statusOK, "X: x\r\n"},
		{"headers of other names", statusOK + strings.Repeat("A:\r\n", 100), "B:\r\nC:\r\n"},
		{"a body", statusOK + "\r\n", "x"},
		{"chunks", statusOK + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
		{"a body of an answer that is not accepted", unavailable + "\r\n", "x"},
	},
	"redis":    {{"letters", "", "A"}, {"an error", "-", "A"}, {"a line", "+PONG", " "}},
	"postgres": {{"letters", "", "A"}, {"an error", "E\x00\x00\x75\x00", "M"}, {"ready, authentication", "R\x00\x00\x07\xd0", "x"}, {"ready, let in", message('R', "\x00\x00\x00\x00"), "S"}},
	"mysql":    {{"letters", "", "A"}, {"a greeting", "\x00\x02\x00\x00\x0a", "8"}, {"a long greeting", "\xff\xff\xff\x00\x0a", "8"}},
	"grpc": {
		{"letters", "", "A"},
		{"settings", "", frame(settingsFrame, 0, 0, "")},
		{"pings", settings, frame(6, 0, 0, "12345678")},
		{"headers", settings + frame(headersFrame, 0, 1, headers), frame(9, 0, 1, field("x", strings.Repeat("x", 100)))},
		{"data", settings + frame(headersFrame, endHeaders, 1, headers), frame(dataFrame, 0, 1, strings.Repeat("x", 16<<10))},
		{"little data", settings + frame(headersFrame, endHeaders, 1, headers), frame(dataFrame, 0, 1, "\x00")},
		{"pushes", settings, frame(5, endHeaders, 1, "\x00\x00\x00\x02"+headers)},
		{"resets", settings, frame(resetFrame, 0, 3, "\x00\x00\x00\x07")},
	},
}

// However much a server sends, a probe uses at most 64 kB of memory for it.
func TestProbeMemory(t *testing.T) {
	silenceLog(t)
	const most = 64 << 10
	for scheme, answers := range endlessAnswers {
		exchange := mustParse(t, scheme+"://localhost:1").Prober.(*connProbe).exchange
		for _, test := range answers {
			newConn := func() *endlessConn {
				return &endlessConn{first: []byte(test.first), more: bytes.Repeat([]byte(test.more), 1+4096/len(test.more))}
			}
			_ = exchange(t.Context(), newConn()) // allocates what is kept for the next one
			conn := newConn()
			before := heapInUse()
			answer := exchange(t.Context(), conn)
			conn.Close()
			peak, sent := conn.measured()
			used := int64(max(peak, heapInUse()) - before)
			t.Logf("%s, %s: %d bytes in use, of %d sent: %v", scheme, test.name, used, sent, answer)
			if sent > 2<<20 {
				t.Errorf("%s, %s: read %d MB", scheme, test.name, sent>>20)
			}
			if used > most {
				t.Errorf("%s, %s: %d kB", scheme, test.name, used>>10)
			}
			if answer.Outcome == Ready && !strings.HasPrefix(test.name, "ready") {
				t.Errorf("%s, %s: %v", scheme, test.name, answer)
			}
		}
	}
}

// BenchmarkKnock measures a knock that is refused, which is what a wait does most often.
func BenchmarkKnock(b *testing.B) {
	k := knock{newEndpoint("localhost", unusedPort(b))}
	b.ReportAllocs()
	for b.Loop() {
		if answer := k.Probe(b.Context()); answer.Outcome != Refused {
			b.Fatal(answer)
		}
	}
}
