package wait

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/url"
)

// newMongoDB returns the prober for mongodb://: ready when the server answers hello as one
// that serves reads (MongoDB's manual, "hello" and "MongoDB Wire Protocol"). A server answers
// it without authentication.
func newMongoDB(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "hello to", sendAndRead(hello, readHello))
}

// hello is a message with the document {hello: 1, $db: "admin"}.
const hello = "\x34\x00\x00\x00" + helloID + "\x00\x00\x00\x00" + opMsg + "\x00\x00\x00\x00" + "\x00" +
	"\x1f\x00\x00\x00" + "\x10hello\x00\x01\x00\x00\x00" + "\x02$db\x00\x06\x00\x00\x00admin\x00" + "\x00"

const (
	helloID = "gate"
	opMsg   = "\xdd\x07\x00\x00" // 2013
)

// The sizes of an answer, in bytes.
const (
	msgHeader = 16 + 4 + 1 // the message's header, flags, and the kind of the only section
	maxHello  = 32 << 10   // longer than any: a replica set has at most 50 members
)

var notMongoDB = Answer{Failed, "not a MongoDB answer", nil}

// readHello reads one message: the length, its number, the number of the message that it
// answers, the kind of message, flags, and a document.
func readHello(r *bufio.Reader) Answer {
	header := make([]byte, msgHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return endedEarly(err)
	}
	length := binary.LittleEndian.Uint32(header)
	if !isHelloReply(header) || length < msgHeader || length > maxHello {
		return notMongoDB
	}
	document := make([]byte, length-msgHeader)
	if _, err := io.ReadFull(r, document); err != nil {
		return endedMidAnswer(err)
	}
	if hasChecksum := header[16]&1 != 0; hasChecksum {
		document = document[:max(0, len(document)-4)]
	}
	fields, ok := parseBSON(document)
	if !ok {
		return notMongoDB
	}
	return judgeHello(fields)
}

// isHelloReply reports whether header is that of a message that answers hello with one
// document.
func isHelloReply(header []byte) bool {
	return string(header[8:16]) == helloID+opMsg && header[msgHeader-1] == 0
}

// The codes of errors that hello is answered with.
var mongoErrors = map[int]string{
	59:    "the server does not know hello, which is new in 3.6.21, 4.0.21, 4.2.10 and 4.4.2: write " + portOnly,
	91:    "the server is shutting down",
	11600: "the server is shutting down",
}

// judgeHello judges the fields of the answer.
func judgeHello(fields map[string]float64) Answer {
	is := func(name string) bool { return fields[name] != 0 }
	if _, ok := fields["ok"]; !ok {
		return notMongoDB
	}
	switch {
	case !is("ok"):
		code := int(fields["code"])
		text := mongoErrors[code]
		if text == "" {
			text = "the server does not answer hello"
		}
		return Answer{NotReady, fmt.Sprintf("error %d: %s", code, text), nil}
	case is("isWritablePrimary"):
		return Answer{Ready, "it accepts writes", nil}
	case is("secondary"):
		return Answer{Ready, "it is a secondary", nil}
	case is("arbiterOnly"):
		return Answer{NotReady, "it is an arbiter, which holds no data", nil}
	case is("isreplicaset"):
		return Answer{NotReady, "its replica set is not initiated, or not loaded yet", nil}
	}
	return Answer{NotReady, "it is neither primary nor secondary: it is starting, recovering, or waiting for an election", nil}
}

// bsonSizes are the sizes of the values of fixed size (bsonspec.org), by type.
var bsonSizes = map[byte]int{
	0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0a: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7f: 0, 0xff: 0,
}

// parseBSON returns the fields of a document that are numbers or booleans. It does not look
// into the values that are documents.
func parseBSON(document []byte) (fields map[string]float64, ok bool) {
	const least = 4 + 1
	if len(document) < least || int64(binary.LittleEndian.Uint32(document)) != int64(len(document)) || document[len(document)-1] != 0 {
		return nil, false
	}
	fields = map[string]float64{}
	for rest := document[4 : len(document)-1]; len(rest) > 0; {
		name, after, whole := bytes.Cut(rest[1:], []byte{0})
		size, known := bsonSize(rest[0], after)
		if !whole || !known || size > len(after) {
			return nil, false
		}
		if value, isNumber := bsonNumber(rest[0], after[:size]); isNumber {
			fields[string(name)] = value
		}
		rest = after[size:]
	}
	return fields, true
}

// bsonSize returns the size of the value of type kind at the beginning of b.
func bsonSize(kind byte, b []byte) (size int, ok bool) {
	if size, ok := bsonSizes[kind]; ok {
		return size, true
	}
	if len(b) < 4 {
		return 0, false
	}
	length := int(binary.LittleEndian.Uint32(b))
	switch kind {
	case 0x03, 0x04: // a document, an array
		size = length
	case 0x02, 0x0d, 0x0e: // strings
		size = 4 + length
	case 0x05: // bytes, after a byte with their kind
		size = 4 + 1 + length
	}
	return size, size >= 4 && length <= maxHello
}

// bsonNumber returns the value of a number or a boolean.
func bsonNumber(kind byte, value []byte) (number float64, ok bool) {
	switch kind {
	case 0x01:
		return math.Float64frombits(binary.LittleEndian.Uint64(value)), true
	case 0x08:
		return float64(value[0]), true
	case 0x10:
		return float64(int32(binary.LittleEndian.Uint32(value))), true
	case 0x12:
		return float64(int64(binary.LittleEndian.Uint64(value))), true
	}
	return 0, false
}
