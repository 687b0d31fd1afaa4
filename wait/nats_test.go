package wait

// This file covers the scheme nats, against nats-server and against scripted replies.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// startNATS starts a server with these lines in its configuration.
func startNATS(t testing.TB, port string, settings ...string) *daemon {
	t.Helper()
	need(t, "nats-server")
	dir := ownDir(t)
	config := write(t, dir, "nats.conf", fmt.Sprintf("listen: \"127.0.0.1:%s\"\n%s\n", port, strings.Join(settings, "\n")))
	return start(t, dir, syscall.SIGKILL, "nats-server", "-c", config)
}

// A server that wants a password or TLS greets as others do. One that wants TLS logs each
// probe.
func TestNATS(t *testing.T) {
	const noHandshake = "[ERR] 127.0.0.1:PORT - cid:N - TLS handshake error: EOF"
	files := certify(t, ownDir(t))
	for _, test := range []struct{ setting, logged string }{
		{"", ""},
		{"authorization { user: a, password: b }", ""},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q }", files.cert, files.key), noHandshake},
	} {
		port := unusedPort(t)
		at := "nats://us3r:s3cret@127.0.0.1:" + port
		wantAnswer(t, at, Refused, "connection refused")
		server := startNATS(t, port, test.setting)
		server.becomes(at, Ready, "INFO")
		wantAnswer(t, "nats://localhost:"+port, Ready, "INFO")
		if test.logged != "" {
			eventually(t, "the server has logged both probes", func() bool { return strings.Count(natsLog(server), test.logged) == 2 })
		}
		server.quit = syscall.SIGTERM
		server.stop()
		_, log, _ := strings.Cut(natsLog(server), "Server is ready\n")
		for line := range strings.Lines(log) {
			if !strings.HasPrefix(line, "[INF] ") && strings.TrimSpace(line) != test.logged {
				t.Errorf("%s: logged %s", test.setting, line)
			}
		}
	}
}

var (
	natsStamp  = regexp.MustCompile(`(?m)^\[\d+\] \S+ \S+ `)
	natsClient = regexp.MustCompile(`127\.0\.0\.1:\d+ - cid:\d+`)
)

// natsLog returns the server's log without what differs each time.
func natsLog(server *daemon) string {
	return natsClient.ReplaceAllString(natsStamp.ReplaceAllString(server.log(), ""), "127.0.0.1:PORT - cid:N")
}

// infoLine returns INFO with more fields.
func infoLine(more string) string {
	return `INFO {"server_id":"NAHQ","version":"2.9.10","proto":1,"host":"127.0.0.1","port":4222,"max_payload":1048576` + more + "} \r\n"
}

// infos holds greetings, and what they mean.
var infos = []replyCase{
	{infoLine(""), Ready, "INFO"},
	{infoLine(`,"auth_required":true,"tls_required":true`), Ready, "INFO"},
	{infoLine(`,"ldm":false`) + "-ERR 'maximum connections exceeded'\r\n", Ready, "INFO"},
	{strings.Replace(infoLine(""), "} \r\n", "}\r\n", 1), Ready, "INFO"},
	{infoLine(`,"connect_urls":["` + strings.Repeat("x", maxInfo-200) + `"]`), Ready, "INFO"},
	{infoLine(`,"ldm":true`), NotReady, "the server is about to stop (lame duck mode)"},

	{"", Failed, "closed without an answer"},
	{"I", Failed, "closed after half an answer"},
	{infoLine("")[:50], Failed, "closed after half an answer"},
	{strings.TrimSuffix(infoLine(""), "\n"), Failed, "closed after half an answer"},
	{infoLine(`,"a":"` + strings.Repeat("x", 1000))[:1000], Failed, "closed after half an answer"},
	{strings.TrimSuffix(infoLine(""), "\r\n") + "\n", Failed, "not a NATS answer"},
	{infoLine(`,"connect_urls":["` + strings.Repeat("x", maxInfo) + `"]`), Failed, "not a NATS answer"},
	{"INFO {}\r\n", Failed, "not a NATS answer"},
	{"INFO {\"server_id\":1}\r\n", Failed, "not a NATS answer"},
	{"INFO \r\n", Failed, "not a NATS answer"},
	{"INFO\r\n", Failed, "not a NATS answer"},
	{"INFO {\"server_id\":\"a\"\r\n", Failed, "not a NATS answer"},
	{"I am a server\r\n", Failed, "not a NATS answer"},
	{"-ERR 'no'\r\n", Failed, "not a NATS answer"},
	{"+OK POP3 server ready\r\n", Failed, "not a NATS answer"},
	{"220 mail ESMTP\r\n", Failed, "not a NATS answer"},
	{"I" + strings.Repeat("I", 1<<20), Failed, "not a NATS answer"},
	{tlsRefusal, Failed, "not a NATS answer"},
}

func TestNATSReplies(t *testing.T) {
	checkReplies(t, infos, readInfo)
}

// FuzzNATSReply lets a server send any bytes.
func FuzzNATSReply(f *testing.F) {
	addReplies(f, infos)
	f.Fuzz(func(t *testing.T, reply []byte) {
		answer := readInfo(bufio.NewReaderSize(bytes.NewReader(reply), smallBuffer))
		checkReply(t, reply, answer)
		if answer.Outcome != Ready {
			return
		}
		line, _, whole := bytes.Cut(reply, []byte("\r\n"))
		if text, ok := bytes.CutPrefix(line, []byte("INFO ")); !whole || !ok || !json.Valid(text) {
			t.Errorf("%q is ready: %v", reply, answer)
		}
	})
}
