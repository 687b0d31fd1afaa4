package wait

// This file covers shutdown requests: their targets, their outcomes and their tokens.

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// quitTarget returns a target for Quit at addr.
func quitTarget(t *testing.T, addr string) Target {
	t.Helper()
	target, err := ParseQuit("http://"+addr+"/quit", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// quitServer answers every request with status, and counts the shutdown requests.
func quitServer(t *testing.T, status int, body string) (addr string, count *atomic.Int64) {
	t.Helper()
	count = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/quit" && r.ContentLength == 0 {
			count.Add(1)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), count
}

func TestQuitPostsOnceWhenAnswered(t *testing.T) {
	for status, want := range map[int]QuitOutcome{
		200: QuitAccepted, 204: QuitAccepted, 299: QuitAccepted,
		301: QuitRejected, 401: QuitRejected, 403: QuitRejected, 404: QuitRejected, 405: QuitRejected, 500: QuitRejected, 503: QuitRejected,
	} {
		body := ""
		if status >= 400 {
			body = "shutdown endpoint is not enabled"
		}
		addr, count := quitServer(t, status, body)
		outcome, answer := Quit(withTimeout(t, ample), quitTarget(t, addr), false)
		if outcome != want || count.Load() != 1 {
			t.Errorf("%d: %v after %d posts, want %v after 1", status, outcome, count.Load(), want)
		}
		if !strings.Contains(answer.Detail, "POST http://"+addr+"/quit: status ") || !strings.Contains(answer.Detail, body) {
			t.Errorf("%d: detail is %q, want the request, the status and the body", status, answer.Detail)
		}
	}
}

func TestQuitRefused(t *testing.T) {
	target := quitTarget(t, "127.0.0.1:"+unusedPort(t))
	if outcome, _ := Quit(withTimeout(t, ample), target, true); outcome != QuitGone {
		t.Errorf("one that was seen is %v, want gone", outcome)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx := withTimeout(t, time.Minute)
		target := Target{Prober: ProbeFunc(func(context.Context) Answer { return refused })}
		if outcome, answer := Quit(ctx, target, false); outcome != QuitNeverSeen || ctx.Err() == nil || answer.Outcome != Refused {
			t.Errorf("one that was not seen is %v (%v), want never_seen when the time is over", outcome, answer)
		}
	})
}

// A sidecar that starts during the call of Quit gets the request.
func TestQuitReachesSidecarThatStartsLate(t *testing.T) {
	addr := "127.0.0.1:" + unusedPort(t)
	requested := make(chan struct{})
	go func() {
		time.Sleep(3 * quitPause)
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			return
		}
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(requested) })}
		t.Cleanup(func() { server.Close() })
		_ = server.Serve(listener)
	}()
	if outcome, answer := Quit(withTimeout(t, ample), quitTarget(t, addr), false); outcome != QuitAccepted {
		t.Fatalf("%v (%v), want accepted", outcome, answer)
	}
	<-requested
}

func TestQuitUnanswered(t *testing.T) {
	for name, handle := range map[string]func(net.Conn){
		"hangs":  hang,
		"resets": func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) },
		"closes": func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4096)) },
	} {
		ctx := withTimeout(t, 300*time.Millisecond)
		outcome, answer := Quit(ctx, quitTarget(t, serve(t, "127.0.0.1:0", handle)), false)
		if outcome != QuitUnanswered || ctx.Err() == nil {
			t.Errorf("one that %s is %v (%v), want unanswered when the time is over", name, outcome, answer)
		}
	}
}

// The last request, which the end of the time cuts short, once hid the earlier answers: a
// sidecar that had never listened counted as one that did not answer.
func TestQuitKeepsTheLastCompleteAnswer(t *testing.T) {
	for first, want := range map[Outcome]QuitOutcome{Refused: QuitNeverSeen, Failed: QuitUnanswered} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			target := Target{Prober: ProbeFunc(func(ctx context.Context) Answer {
				if tries++; tries == 1 {
					return Answer{first, "the first", nil}
				}
				<-ctx.Done()
				return Answer{Timeout, "no answer in time", ctx.Err()}
			})}
			if outcome, answer := Quit(withTimeout(t, time.Minute), target, false); outcome != want || answer.Detail != "the first" || tries != 2 {
				t.Errorf("after %v it is %v (%v) in %d tries, want %v", first, outcome, answer, tries, want)
			}
		})
	}
}

// A sidecar that exits in the middle of its answer is gone, and gets no second request.
func TestQuitExitsMidAnswer(t *testing.T) {
	var tries atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		tries.Add(1)
		_, _ = conn.Read(make([]byte, 4096))
		listener.Close()
		conn.Close()
	}()
	outcome, answer := Quit(withTimeout(t, ample), quitTarget(t, listener.Addr().String()), false)
	if outcome != QuitGone || tries.Load() != 1 {
		t.Errorf("%v (%v) after %d tries, want gone after 1", outcome, answer, tries.Load())
	}
}

func TestQuitAcceptedWithHalfABody(t *testing.T) {
	addr := serve(t, "127.0.0.1:0", says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nby"))
	if outcome, answer := Quit(withTimeout(t, ample), quitTarget(t, addr), false); outcome != QuitAccepted {
		t.Errorf("%v (%v), want accepted: the status says so", outcome, answer)
	}
}

func TestAwaitGone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := quitTarget(t, listener.Addr().String())
	if AwaitGone(withTimeout(t, 100*time.Millisecond), target) {
		t.Error("it listens, and counts as gone")
	}
	listener.Close()
	if !AwaitGone(withTimeout(t, ample), target) {
		t.Error("nothing listens, and it does not count as gone")
	}
}

func TestParseQuit(t *testing.T) {
	token := func(variable string) string {
		if variable == "DAPR_API_TOKEN" {
			return "a&b#c d+e%"
		}
		return ""
	}
	for _, sidecar := range Sidecars() {
		target, err := ParseQuit(sidecar.Name, token)
		if again, err := ParseQuit(strings.ToUpper(sidecar.Name), token); err != nil || again.Name != sidecar.Name {
			t.Errorf("%s in capitals: %q, %v", sidecar.Name, again.Name, err)
		}
		if err != nil || target.Name != sidecar.Name || target.Sidecar == nil || len(target.Knock) == 0 {
			t.Errorf("%s: %+v, %v", sidecar.Name, target, err)
			continue
		}
		p := target.Prober.(*connProbe)
		if p.request != "POST "+sidecar.Quit {
			t.Errorf("%s: asks %q, want POST %s", sidecar.Name, p.request, sidecar.Quit)
		}
	}
	const forThisPod = "a shutdown request is for this pod only: write localhost for the host"
	for s, want := range map[string]string{
		"":        "it is empty: remove the extra comma",
		"none":    "none cannot be shut down: leave the setting out to shut nothing down",
		"vaulted": "unknown name: did you mean vault?",
		"istoi":   "unknown name: did you mean istio?",
		"foo": "it is neither a known name nor a URL: write one of istio, linkerd, consul, kuma, dapr, cloudsql, alloydb, vault, " +
			"or a URL such as http://localhost:8080/quitquitquit; a comma in a URL is %2C",
		"istio-proxy":                   "unknown name: did you mean istio?",
		"vault-agent":                   "unknown name: did you mean vault?",
		"localhost:15020":               "unknown name: did you mean istio?",
		"127.0.0.1:8200":                "unknown name: did you mean vault?",
		"localhost:8080":                "it has no scheme: write http://localhost:PORT/PATH",
		"db:8080/quit":                  "it has no scheme: write http://localhost:PORT/PATH",
		"istio vault":                   "separate several targets by commas",
		"None":                          "none cannot be shut down: leave the setting out to shut nothing down",
		"http://db:9091/quit":           forThisPod,
		"http://user:secret@10.0.0.1/q": forThisPod,
		"http://127.0.0.1.evil.com/":    forThisPod,
		"tcp://localhost:80":            "a shutdown request is a POST: write http:// or https://",
		"http://localhost:1/#status=2":  "unknown option: http:// knows #header; in a value & is written %26, in a password # is %23",
		"http://localhost:1?secret@h/":  "it has an @ after its host: in a password / is written %2F and ? is %3F, elsewhere @ is %40",
	} {
		if _, err := ParseQuit(s, token); err == nil || err.Error() != "cannot use target: "+want {
			t.Errorf("%q:\n%v, want\n%s", s, err, want)
		}
	}
	for _, s := range []string{"http://localhost/q", "http://127.9.9.9:1/q", "http://[::1]:1/q", "https://localhost:1/q#insecure"} {
		if _, err := ParseQuit(s, token); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Without a getenv there is no token. It once was a panic.
func TestParseQuitWithoutEnvironment(t *testing.T) {
	for _, sidecar := range Sidecars() {
		if _, err := ParseQuit(sidecar.Name, nil); err != nil {
			t.Errorf("%s: %v", sidecar.Name, err)
		}
	}
}

func TestQuitTokenThatCannotBeSent(t *testing.T) {
	_, err := ParseQuit("dapr", func(string) string { return "s3\ncret" })
	if want := "cannot use target: the value of DAPR_API_TOKEN has a line break or another control character"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// The token is sent without the line break at its end, otherwise unchanged, and never shown.
func TestQuitToken(t *testing.T) {
	const secret = "a&b#c d+e%"
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("dapr-api-token") }))
	defer server.Close()
	sidecar := &Sidecar{Token: "dapr-api-token:DAPR_API_TOKEN"}
	target, err := parseQuitURL(server.URL + tokenOption(sidecar, func(string) string { return secret + "\n" }))
	if err != nil {
		t.Fatal(err)
	}
	outcome, answer := Quit(withTimeout(t, ample), target, false)
	if token := <-got; outcome != QuitAccepted || token != secret {
		t.Errorf("%v with the token %q, want %q", outcome, token, secret)
	}
	if strings.Contains(target.Name+answer.Detail, "a&b") || strings.Contains(target.Name, "d+e") {
		t.Errorf("the token is in %q or %q", target.Name, answer.Detail)
	}
}
