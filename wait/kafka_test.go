package wait

// This file covers the schemes kafka and kafkas, against a broker of kfake and against
// scripted replies.

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"testing"
)

func startKafka(t testing.TB, args ...string) (addr string) {
	t.Helper()
	_, addr = startModule(t, "kafkabroker", args...)
	return addr
}

func TestKafka(t *testing.T) {
	wantAnswer(t, "kafka://127.0.0.1:"+unusedPort(t), Refused, "connection refused")
	addr := startKafka(t)
	_, port, _ := net.SplitHostPort(addr)
	wantAnswer(t, "kafka://us3r:s3cret@"+addr, Ready, "it answers")
	wantAnswer(t, "kafka://localhost:"+port, Ready, "it answers")
	const silent = "TLS: no answer in time; does the server speak TLS?" // it takes the handshake for the length of a long request
	if answer := probeFor(t, mustParse(t, "kafkas://"+addr), Timeout, silent); !matches(answer, Timeout, silent) {
		t.Errorf("with TLS: %v", answer)
	}
	wantAnswer(t, "kafka://"+startKafka(t, "-sasl"), Ready, "it answers")
}

func TestKafkaTLS(t *testing.T) {
	files := certify(t, t.TempDir())
	addr := startKafka(t, "-cert", files.cert, "-key", files.key)
	wantAnswer(t, "kafkas://"+addr+"#ca="+files.ca, Ready, "it answers")
	wantAnswer(t, "kafkas://"+addr+"#insecure", Ready, "it answers")
	wantAnswer(t, "kafkas://"+addr, Failed, "TLS: x509: certificate signed by unknown authority; give its CA with #ca=/path, or trust any with #insecure")
	wantAnswer(t, "kafka://"+addr, Failed, "closed without an answer")
	if got := mustParse(t, "kafka://"+addr).AskTLS(t.Context()); got != "kafkas://" {
		t.Errorf("write %q", got)
	}
}

// kafkaResponse returns a response with this correlation id.
func kafkaResponse(id, body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(id)+len(body)))) + id + body
}

// kafkaAPIs returns the list of n APIs.
func kafkaAPIs(n int) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(n))) + strings.Repeat("\x00\x03\x00\x00\x00\x0d", n)
}

// longestAPIs is how many APIs a response may have.
const longestAPIs = (maxAPIVersions - 10) / 6

// kafkaResponses holds responses to ApiVersions, and what they mean.
var kafkaResponses = []replyCase{
	{kafkaResponse("gate", "\x00\x00"+kafkaAPIs(62)), Ready, "it answers"},
	{kafkaResponse("gate", "\x00\x00"+kafkaAPIs(1)) + "more", Ready, "it answers"},
	{kafkaResponse("gate", "\x00\x00"+kafkaAPIs(longestAPIs)), Ready, "it answers"},
	{kafkaResponse("gate", "\x00\x23"+kafkaAPIs(1)), Ready, "it answers with error 35"},
	{kafkaResponse("gate", "\x00\x23"), Ready, "it answers with error 35"}, // as before 2.4
	{kafkaResponse("gate", "\xff\xff"+kafkaAPIs(0)), Ready, "it answers with error -1"},

	{"", Failed, "closed without an answer"},
	{"\x00", Failed, "closed after half an answer"},
	{kafkaResponse("gate", "\x00\x00"+kafkaAPIs(62))[:100], Failed, "closed after half an answer"},
	{kafkaResponse("gate", "\x00\x00"+kafkaAPIs(62))[:8], Failed, "closed after half an answer"},
	{apiVersions, Failed, "not a Kafka answer"}, // as from a server that sends everything back
	{kafkaResponse("gats", "\x00\x00"+kafkaAPIs(1)), Failed, "not a Kafka answer"},
	{kafkaResponse("\x00\x00\x00\x00", "\x00\x00"+kafkaAPIs(1)), Failed, "not a Kafka answer"},
	{kafkaResponse("gate", ""), Failed, "not a Kafka answer"},
	{kafkaResponse("gate", "\x00"), Failed, "not a Kafka answer"},
	{kafkaResponse("gate", "\x00\x00"), Failed, "not a Kafka answer"},
	{kafkaResponse("gate", "\x00\x00"+kafkaAPIs(0)), Failed, "not a Kafka answer"},
	{kafkaResponse("gate", "\x00\x00"+kafkaAPIs(2)+"x"), Failed, "not a Kafka answer"},
	{kafkaResponse("gate", "\x00\x00\x00\x00\x00\x02\x00\x03\x00\x00\x00\x0d"), Failed, "not a Kafka answer"},
	{kafkaResponse("gate", "\x00\x00\xff\xff\xff\xff\x00\x03\x00\x00\x00\x0d"), Failed, "not a Kafka answer"},
	{kafkaResponse("gate", "\x00\x00"+kafkaAPIs(longestAPIs+1)), Failed, "not a Kafka answer"},
	{"\xff\xff\xff\xffgate" + strings.Repeat("x", 1000), Failed, "not a Kafka answer"},
	{"AMQP\x00\x00\x09\x01", Failed, "not a Kafka answer"},
	{"HTTP/1.1 400 Bad Request\r\n\r\n", Failed, "not a Kafka answer"},
	{"SSH-2.0-OpenSSH_9.2\r\n", Failed, "not a Kafka answer"},
	{tlsRefusal + "more", Failed, "not a Kafka answer"},
}

func TestKafkaReplies(t *testing.T) {
	checkReplies(t, kafkaResponses, readAPIVersions)
}

// FuzzKafkaReply lets a broker send any bytes.
func FuzzKafkaReply(f *testing.F) {
	addReplies(f, kafkaResponses)
	f.Fuzz(func(t *testing.T, reply []byte) {
		answer := readAPIVersions(bufio.NewReaderSize(bytes.NewReader(reply), smallBuffer))
		checkReply(t, reply, answer)
		if answer.Outcome == Ready && (string(reply[4:8]) != correlationID || len(reply) < int(binary.BigEndian.Uint32(reply))+4) {
			t.Errorf("%q is ready: %v", reply, answer)
		}
	})
}
