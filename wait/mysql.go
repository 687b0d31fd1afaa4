package wait

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/url"
)

// newMySQL returns the prober for mysql://: ready when the server sends its greeting
// (MySQL's internals manual, "Protocol::Handshake"). It sends nothing. The server counts
// such a connection against max_connect_errors until this host logs in.
func newMySQL(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "greeting of", sendAndRead("", readGreeting))
}

// mysqlErrors explains the errors that a server may send instead of its greeting.
var mysqlErrors = map[uint16]string{
	1040: "too many connections",
	1129: "this host is blocked because of too many connection errors; run mysqladmin flush-hosts, and raise max_connect_errors",
	1130: "this host may not connect; create the user for it on the server",
}

// maxGreeting is longer than any greeting, and than any error, whose text has up to 512
// bytes.
const maxGreeting = 1 << 10

var notMySQL = Answer{Failed, "not a MySQL answer", nil}

// readGreeting reads one packet: the length, the number and the payload.
func readGreeting(r *bufio.Reader) Answer {
	header := make([]byte, 4)
	if _, err := io.ReadFull(r, header); err != nil {
		return endedEarly(err)
	}
	length := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if header[3] != 0 || length < 3 || length > maxGreeting {
		return notMySQL
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return endedMidAnswer(err)
	}
	switch {
	case isGreeting(payload):
		return Answer{Ready, "it greets", nil}
	case payload[0] == 0xff:
		return mysqlError(binary.LittleEndian.Uint16(payload[1:]))
	}
	return notMySQL
}

// isGreeting reports whether payload is the greeting of protocol 10: the server's version
// up to a NUL, the connection's number (4 bytes), 8 bytes for authentication, a NUL, and
// more.
func isGreeting(payload []byte) bool {
	version, rest, found := bytes.Cut(payload[1:], []byte{0})
	isVersion := len(version) > 0 && version[0] >= '0' && version[0] <= '9'
	return payload[0] == 10 && found && isVersion && len(rest) > 12 && rest[12] == 0
}

func mysqlError(code uint16) Answer {
	text := mysqlErrors[code]
	if text == "" {
		text = "the server does not accept the connection"
	}
	return Answer{NotReady, fmt.Sprintf("error %d: %s", code, text), nil}
}
