package wait

// This file covers the scheme mongodb, against FerretDB and against replies that are made
// by MongoDB's specifications: its own server is not free software, and in no package here.

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
)

func startMongo(t testing.TB, args ...string) (addr string) {
	t.Helper()
	_, addr = startModule(t, "mongoserver", append(args, t.TempDir())...)
	return addr
}

func TestMongoDB(t *testing.T) {
	wantAnswer(t, "mongodb://127.0.0.1:"+unusedPort(t), Refused, "connection refused")
	addr := startMongo(t)
	_, port, _ := net.SplitHostPort(addr)
	wantAnswer(t, "mongodb://us3r:s3cret@"+addr+"/admin?tls=t0ken", Ready, "it accepts writes")
	wantAnswer(t, "mongodb://localhost:"+port, Ready, "it accepts writes")
}

func TestMongoDBTLS(t *testing.T) {
	files := certify(t, t.TempDir())
	target := mustParse(t, "mongodb://"+startMongo(t, "-cert", files.cert, "-key", files.key))
	checkNotReady(t, "of a port of TLS", target.Prober.Probe(withTimeout(t, ample)))
	if got := target.AskTLS(t.Context()); got != portOnly {
		t.Errorf("write %q", got)
	}
}

// bsonField is an element of a BSON document.
type bsonField struct {
	name  string
	value any
}

// bson returns a document.
func bson(fields ...bsonField) string {
	var body []byte
	for _, f := range fields {
		kind, value := byte(0x0a), []byte(nil)
		switch v := f.value.(type) {
		case bool:
			kind, value = 0x08, []byte{map[bool]byte{true: 1}[v]}
		case int:
			kind, value = 0x10, binary.LittleEndian.AppendUint32(nil, uint32(v))
		case int64:
			kind, value = 0x12, binary.LittleEndian.AppendUint64(nil, uint64(v))
		case float64:
			kind, value = 0x01, binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))
		case string:
			kind, value = 0x02, append(binary.LittleEndian.AppendUint32(nil, uint32(len(v)+1)), v+"\x00"...)
		case [12]byte: // an ObjectId
			kind, value = 0x07, v[:]
		case [16]byte: // a decimal128
			kind, value = 0x13, v[:]
		case []byte:
			kind, value = 0x05, append(append(binary.LittleEndian.AppendUint32(nil, uint32(len(v))), 0), v...)
		case []bsonField:
			kind, value = 0x03, []byte(bson(v...))
		case []string:
			list := make([]bsonField, len(v))
			for i, text := range v {
				list[i] = bsonField{fmt.Sprint(i), text}
			}
			kind, value = 0x04, []byte(bson(list...))
		}
		body = append(append(append(body, kind), f.name+"\x00"...), value...)
	}
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)+5))) + string(body) + "\x00"
}

// mongoReply returns a message with these flags and this document.
func mongoReply(flags byte, document string) string {
	rest := "\x2a\x00\x00\x00" + helloID + opMsg + string([]byte{flags, 0, 0, 0}) + "\x00" + document
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(rest)+4))) + rest
}

// helloFields are the fields of a member of a replica set (MongoDB's manual, "hello"), with
// those that tell what it is.
func helloFields(role ...bsonField) string {
	return bson(append(append([]bsonField{
		{"topologyVersion", []bsonField{{"processId", [12]byte{1}}, {"counter", int64(6)}}},
		{"hosts", []string{"a:27017", "b:27017", "c:27017"}},
		{"setName", "rs0"},
		{"setVersion", 1},
	}, role...), []bsonField{
		{"me", "b:27017"},
		{"maxBsonObjectSize", 16777216},
		{"connectionId", 12},
		{"minWireVersion", 0},
		{"maxWireVersion", 21},
		{"readOnly", false},
		{"ok", 1.0},
		{"$clusterTime", []bsonField{{"clusterTime", int64(1)}, {"signature", []bsonField{{"hash", make([]byte, 20)}, {"keyId", int64(0)}}}}},
		{"operationTime", nil},
	}...)...)
}

// ferretReply is what FerretDB 1.24.2 sends.
const ferretReply = "\xfb\x00\x00\x00\x01\x00\x00\x00gate\xdd\x07\x00\x00\x00\x00\x00\x00\x00\xe6\x00\x00\x00\x08isWritablePrimary\x00\x01\x10maxBsonObjectSize\x00\x00\x00\x00\x01\x10maxMessageSizeBytes\x00\x00l\xdc\x02\x10maxWriteBatchSize\x00\xa0\x86\x01\x00\tlocalTime\x00F\x19z\x13\xa2\x01\x00\x00\x10logicalSessionTimeoutMinutes\x00\x1e\x00\x00\x00\x10connectionId\x00*\x00\x00\x00\x10minWireVersion\x00\x00\x00\x00\x00\x10maxWireVersion\x00\x15\x00\x00\x00\x08readOnly\x00\x00\x01ok\x00\x00\x00\x00\x00\x00\x00\xf0?\x00"

// mongoError returns an answer with an error.
func mongoError(code int) string {
	return mongoReply(0, bson(bsonField{"ok", 0.0}, bsonField{"errmsg", "no"}, bsonField{"code", code}, bsonField{"codeName", "No"}))
}

var (
	primary    = bsonField{"isWritablePrimary", true}
	notPrimary = bsonField{"isWritablePrimary", false}
	secondary  = bsonField{"secondary", true}
	notSecond  = bsonField{"secondary", false}
	isOK       = bsonField{"ok", 1.0}
)

const neither = "it is neither primary nor secondary: it is starting, recovering, or waiting for an election"

// mongoReplies holds answers to hello, and what they mean.
var mongoReplies = []replyCase{
	{ferretReply, Ready, "it accepts writes"},
	{mongoReply(0, helloFields(primary, notSecond)), Ready, "it accepts writes"},
	{mongoReply(0, helloFields(notPrimary, secondary)), Ready, "it is a secondary"},
	{mongoReply(0, bson(primary, bsonField{"msg", "isdbgrid"}, isOK)), Ready, "it accepts writes"}, // a mongos
	{mongoReply(0, bson(primary, bsonField{"ok", 1})), Ready, "it accepts writes"},
	{mongoReply(0, bson(primary, bsonField{"ok", true})), Ready, "it accepts writes"},
	{mongoReply(0, bson(bsonField{"bytes", make([]byte, 20)}, bsonField{"id", [12]byte{1}}, bsonField{"decimal", [16]byte{1}}, primary, bsonField{"ok", int64(1)})), Ready, "it accepts writes"},
	{mongoReply(0, bson(primary, isOK)) + "more", Ready, "it accepts writes"},
	{mongoReply(1, bson(primary, isOK)+"csum"), Ready, "it accepts writes"},
	{mongoReply(0, helloFields(notPrimary, notSecond)), NotReady, neither},
	{mongoReply(0, bson(isOK)), NotReady, neither},
	{mongoReply(0, helloFields(notPrimary, notSecond, bsonField{"arbiterOnly", true})), NotReady, "it is an arbiter, which holds no data"},
	{mongoReply(0, bson(notPrimary, notSecond, bsonField{"isreplicaset", true}, isOK)), NotReady, "its replica set is not initiated, or not loaded yet"},
	{mongoReply(0, bson(primary, bsonField{"ok", 0.0})), NotReady, "error 0: the server does not answer hello"},
	{mongoError(59), NotReady, "error 59: the server does not know hello, which is new in 3.6.21, 4.0.21, 4.2.10 and 4.4.2: write " + portOnly},
	{mongoError(91), NotReady, "error 91: the server is shutting down"},
	{mongoError(13), NotReady, "error 13: the server does not answer hello"},
	{mongoReply(0, bson(notPrimary, isOK, bsonField{"nested", []bsonField{primary}})), NotReady, neither},
	{mongoReply(0, bson(bsonField{"text", "\x08isWritablePrimary\x00\x01"}, isOK)), NotReady, neither},

	{"", Failed, "closed without an answer"},
	{"\x00", Failed, "closed after half an answer"},
	{ferretReply[:16], Failed, "closed after half an answer"},
	{ferretReply[:100], Failed, "closed after half an answer"},
	{hello, Failed, "not a MongoDB answer"}, // as from a server that sends everything back
	{mongoReply(0, bson(primary)), Failed, "not a MongoDB answer"},
	{mongoReply(0, bson()), Failed, "not a MongoDB answer"},
	{mongoReply(0, ""), Failed, "not a MongoDB answer"},
	{mongoReply(1, "abc"), Failed, "not a MongoDB answer"},
	{mongoReply(0, bson(primary, isOK)+"x"), Failed, "not a MongoDB answer"},
	{mongoReply(0, strings.TrimSuffix(bson(primary, isOK), "\x00")+"x"), Failed, "not a MongoDB answer"},
	{mongoReply(0, "\xff\xff\xff\xff"+bson(primary, isOK)[4:]), Failed, "not a MongoDB answer"},
	{mongoReply(0, "\x10\x00\x00\x00\x02a\x00\xff\xff\xff\xffabcd\x00"), Failed, "not a MongoDB answer"},
	{mongoReply(0, "\x10\x00\x00\x00\x03a\x00\x00\x00\x00\x00abcd\x00"), Failed, "not a MongoDB answer"},
	{mongoReply(0, strings.Replace(bson(bsonField{"a", nil}, bsonField{"", 0}, primary, isOK), "\x0aa", "\x0ba", 1)), Failed, "not a MongoDB answer"}, // an unknown type
	{mongoReply(0, "\x08\x00\x00\x00\x0ba\x00\x00"), Failed, "not a MongoDB answer"},
	{mongoReply(0, "\x07\x00\x00\x00\x08a\x00"), Failed, "not a MongoDB answer"},
	{mongoReply(0, "\x08\x00\x00\x00\x08aa\x00"), Failed, "not a MongoDB answer"},
	{"\x14" + ferretReply[1:], Failed, "not a MongoDB answer"}, // shorter than its header
	{strings.Replace(ferretReply, helloID, "gats", 1), Failed, "not a MongoDB answer"},
	{strings.Replace(ferretReply, opMsg, "\x01\x00\x00\x00", 1), Failed, "not a MongoDB answer"}, // OP_REPLY
	{ferretReply[:20] + "\x01" + ferretReply[21:], Failed, "not a MongoDB answer"},               // another kind of section
	{mongoReply(0, bson(bsonField{"a", strings.Repeat("x", maxHello/2)}, bsonField{"b", strings.Repeat("x", maxHello/2)}, primary, isOK)), Failed, "not a MongoDB answer"},
	{"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", Failed, "not a MongoDB answer"},
	{"-ERR unknown command, with beginning\r\n", Failed, "not a MongoDB answer"},
	{strings.Repeat(tlsRefusal, 4), Failed, "not a MongoDB answer"},
}

func TestMongoDBReplies(t *testing.T) {
	checkReplies(t, mongoReplies, readHello)
}

// The request is the document that it says, and asks for no credentials.
func TestMongoDBRequest(t *testing.T) {
	document := bson(bsonField{"hello", 1}, bsonField{"$db", "admin"})
	want := string(binary.LittleEndian.AppendUint32(nil, uint32(msgHeader+len(document)))) + "gate\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00" + document
	if hello != want {
		t.Errorf("it sends\n%q, want\n%q", hello, want)
	}
}

// FuzzMongoDBReply lets a server send any bytes, alone and as the document of an answer.
func FuzzMongoDBReply(f *testing.F) {
	addReplies(f, mongoReplies)
	for _, r := range mongoReplies {
		f.Add([]byte(r.text[min(msgHeader, len(r.text)):min(1000, len(r.text))]))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, reply := range [][]byte{text, []byte(mongoReply(0, string(text)))} {
			answer := readHello(bufio.NewReaderSize(bytes.NewReader(reply), smallBuffer))
			checkReply(t, reply, answer)
			if answer.Outcome != Ready {
				continue
			}
			role := bytes.Contains(reply, []byte("isWritablePrimary\x00")) || bytes.Contains(reply, []byte("secondary\x00"))
			if string(reply[8:16]) != helloID+opMsg || !role || !bytes.Contains(reply, []byte("ok\x00")) {
				t.Errorf("%q is ready: %v", reply, answer)
			}
		}
	})
}
