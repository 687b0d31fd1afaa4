package wait

// This file covers the schemes amqp and amqps, against RabbitMQ and against scripted
// replies.

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// startRabbitMQ starts a broker with these settings in its configuration. Erlang's port
// mapper, which it needs, is the test's own too.
func startRabbitMQ(t testing.TB, settings string) *daemon {
	t.Helper()
	skipInShort(t)
	const server = "/usr/lib/rabbitmq/bin/rabbitmq-server" // the one in PATH runs as root or rabbitmq only
	need(t, server, "epmd")
	dir, mapper := ownDir(t), ownDir(t)
	environment := []string{"env", "ERL_EPMD_PORT=" + unusedPort(t), "ERL_EPMD_ADDRESS=127.0.0.1"}
	start(t, mapper, syscall.SIGKILL, "env", append(environment[1:], "epmd")...)
	in := func(name string) string { return filepath.Join(dir, name) }
	environment = append(environment[1:],
		"RABBITMQ_NODENAME=startgate@localhost", "RABBITMQ_DIST_PORT="+unusedPort(t),
		"RABBITMQ_CONFIG_FILE="+write(t, dir, "rabbitmq.conf", settings+"\n"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_ENABLED_PLUGINS_FILE="+write(t, dir, "plugins", "[].\n"), "RABBITMQ_PLUGINS_EXPAND_DIR="+in("expanded"),
		"RABBITMQ_MNESIA_BASE="+in("mnesia"), "RABBITMQ_LOG_BASE="+in("logs"), "RABBITMQ_LOGS=-")
	return start(t, dir, syscall.SIGTERM, "env", append(environment, server)...)
}

// rabbitSettings returns the settings of a broker with a port for plain connections and one
// for TLS.
func rabbitSettings(t testing.TB, port, securePort string) string {
	files := certify(t, ownDir(t))
	return fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%s
listeners.ssl.1 = 127.0.0.1:%s
ssl_options.cacertfile = %s
ssl_options.certfile = %s
ssl_options.keyfile = %s`, port, securePort, files.ca, files.cert, files.key)
}

// logLine matches a line of RabbitMQ's log: its level, the process that wrote it, the text.
var logLine = regexp.MustCompile(`(?m)^\S+ \S+ (\[\w+\]) (<[0-9.]+>) (.*)$`)

func TestRabbitMQ(t *testing.T) {
	port, securePort, closed := unusedPort(t), unusedPort(t), unusedPort(t)
	settings := rabbitSettings(t, port, securePort)
	_, ca, _ := strings.Cut(settings, "cacertfile = ")
	ca, _, _ = strings.Cut(ca, "\n")
	server := startRabbitMQ(t, settings)
	at, secure := "amqp://us3r:s3cret@127.0.0.1:"+port+"/vhost", "amqps://127.0.0.1:"+securePort
	server.becomes(at, Ready, "Connection.Start")
	wantAnswer(t, "amqp://localhost:"+port, Ready, "Connection.Start")
	wantAnswer(t, "amqp://127.0.0.1:"+closed, Refused, "connection refused")

	server.becomes(secure+"#ca="+ca, Ready, "Connection.Start")
	wantAnswer(t, secure+"#insecure", Ready, "Connection.Start")
	wantAnswer(t, secure, Failed, "TLS: x509: certificate signed by unknown authority; give its CA with #ca=/path, or trust any with #insecure")
	wantAnswer(t, "amqps://127.0.0.1:"+port, Failed, "TLS: the server does not speak TLS")
	plain := mustParse(t, "amqp://127.0.0.1:"+securePort)
	checkNotReady(t, "AMQP of a port of TLS", plain.Prober.Probe(withTimeout(t, ample)))
	if got := plain.AskTLS(t.Context()); got != "amqps://" {
		t.Errorf("write %q", got)
	}

	wantAnswer(t, at, Ready, "Connection.Start")
	var lines []string
	eventually(t, "the broker has logged a whole connection", func() bool {
		lines = connectionLines(server.log())
		return strings.Contains(strings.Join(lines, ""), "unexpectedly closed")
	})
	want := "[info] accepting AMQP connection, [warning] closing AMQP connection, [warning] client unexpectedly closed TCP connection"
	if got := strings.Join(lines, ", "); got != want {
		t.Errorf("logged\n%s, want\n%s", got, want)
	}
}

// connectionLines returns what a log of RabbitMQ has of its last connection, by the process
// that serves it: lines of others may come between.
func connectionLines(log string) (lines []string) {
	var last string
	for _, line := range logLine.FindAllStringSubmatch(log, -1) {
		level, process, text := line[1], line[2], line[3]
		if strings.HasPrefix(text, "accepting AMQP connection") {
			last, lines = process, nil
		}
		if first, _, _ := strings.Cut(text, " <"); process == last && (strings.Contains(text, "AMQP connection") || strings.Contains(text, "closed TCP")) {
			lines = append(lines, level+" "+strings.TrimSpace(first))
		}
	}
	return lines
}

// amqpMethod returns a frame with a method.
func amqpMethod(payload string) string {
	return methodFrame + string(binary.BigEndian.AppendUint32(nil, uint32(len(payload)))) + payload + "\xce"
}

// long returns a field that begins with its length.
func long(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
}

// startBody follows class and method: the version, the server's properties, its mechanisms
// and its locales.
var startBody = "\x00\x09" + long("\x07productS"+long("RabbitMQ")) + long("AMQPLAIN PLAIN") + long("en_US")

const (
	speaksAMQP1  = "it speaks AMQP 1.0, not 0-9-1: write " + portOnly
	speaksOthers = "it speaks another version of AMQP than 0-9-1: write " + portOnly
)

// longStart returns what follows class and method in a Start of this length.
func longStart(length int) string {
	return "\x00\x09" + long(strings.Repeat("x", length-4-len("\x00\x09")-3*4)) + long("") + long("")
}

// starts holds answers to the header of AMQP 0-9-1, and what they mean.
var starts = []replyCase{
	{amqpMethod(startMethod + startBody), Ready, "Connection.Start"},
	{amqpMethod(startMethod+startBody) + "more", Ready, "Connection.Start"},
	{amqpMethod(startMethod + "\x00\x09" + long("") + long("PLAIN") + long("en_US")), Ready, "Connection.Start"},
	{amqpMethod(startMethod + longStart(maxStart)), Ready, "Connection.Start"},
	{"AMQP\x00\x01\x00\x00", NotReady, speaksAMQP1},
	{"AMQP\x03\x01\x00\x00", NotReady, speaksAMQP1}, // with SASL
	{"AMQP\x02\x01\x00\x00", NotReady, speaksAMQP1}, // with TLS
	{"AMQP\x01\x01\x08\x00", NotReady, speaksOthers},
	{"AMQP\x01\x01\x00\x0a", NotReady, speaksOthers},

	{"", Failed, "closed without an answer"},
	{"A", Failed, "closed after half an answer"},
	{"AMQP\x00\x01\x00", Failed, "closed after half an answer"},
	{amqpMethod(startMethod + startBody)[:7], Failed, "closed after half an answer"},
	{amqpMethod(startMethod + startBody)[:50], Failed, "closed after half an answer"},
	{"AMQP\x00\x00\x09\x01", Failed, "not an AMQP answer"}, // as from a server that sends everything back
	{amqpMethod(startMethod + longStart(maxStart+1)), Failed, "not an AMQP answer"},
	{amqpMethod(startMethod + startBody + "x"), Failed, "not an AMQP answer"},
	{amqpMethod(startMethod + "\x00\x09" + long("") + long("PLAIN")), Failed, "not an AMQP answer"},
	{amqpMethod(startMethod + "\x00\x09" + long("") + long("PLAIN") + "\x00\x00\x00\x02x"), Failed, "not an AMQP answer"},
	{amqpMethod(startMethod + "\x00\x09\xff\xff\xff\xff" + long("PLAIN") + long("en_US")), Failed, "not an AMQP answer"},
	{amqpMethod(startMethod + "\x08\x00" + startBody[2:]), Failed, "not an AMQP answer"},
	{amqpMethod("\x00\x0a\x00\x32" + startBody), Failed, "not an AMQP answer"},
	{amqpMethod(startMethod), Failed, "not an AMQP answer"},
	{amqpMethod(""), Failed, "not an AMQP answer"},
	{strings.TrimSuffix(amqpMethod(startMethod+startBody), "\xce") + "\x00", Failed, "not an AMQP answer"},
	{"\x08" + amqpMethod(startMethod + startBody)[1:], Failed, "not an AMQP answer"},
	{"\x01\x00\x01" + amqpMethod(startMethod + startBody)[3:], Failed, "not an AMQP answer"},
	{"\x01\x00\x00\xff\xff\xff\xff" + strings.Repeat("x", 1000), Failed, "not an AMQP answer"},
	{"HTTP/1.1 400 Bad Request\r\n\r\n", Failed, "not an AMQP answer"},
	{"SSH-2.0-OpenSSH_9.2\r\n", Failed, "not an AMQP answer"},
	{tlsRefusal, Failed, "not an AMQP answer"},
}

func TestAMQPReplies(t *testing.T) {
	checkReplies(t, starts, readStart)
}

// A broker that speaks AMQP 1.0 only sends its header and closes the connection.
func TestAMQP1(t *testing.T) {
	wantAnswer(t, "amqp://"+serve(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 8))
		_, _ = conn.Write([]byte("AMQP\x03\x01\x00\x00"))
	}), NotReady, speaksAMQP1)
}

// FuzzAMQPReply lets a broker send any bytes.
func FuzzAMQPReply(f *testing.F) {
	addReplies(f, starts)
	f.Fuzz(func(t *testing.T, reply []byte) {
		answer := readStart(bufio.NewReaderSize(bytes.NewReader(reply), smallBuffer))
		checkReply(t, reply, answer)
		isStart := bytes.HasPrefix(reply, []byte(methodFrame)) && bytes.Contains(reply, []byte(startMethod+amqpVersion)) && bytes.Contains(reply, []byte("\xce"))
		if answer.Outcome == Ready && !isStart || answer.Outcome == NotReady && !bytes.HasPrefix(reply, []byte("AMQP")) {
			t.Errorf("%q is %v", reply, answer)
		}
	})
}
