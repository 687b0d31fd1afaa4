package wait

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/url"
)

// newMySQL is for mysql://: ready when the server sends its greeting (MySQL's
// internals manual, "Protocol::Handshake"). Nothing is sent. A server counts a
// connection that ends there against max_connect_errors, until the application's
// first connection that does not.
func newMySQL(u *url.URL, e *endpoint, o options) Prober {
	return newConversation(u, e, o, "greeting of", ask("", 4<<10, readGreeting))
}

// The errors that a server sends in the place of its greeting, and what to do.
var mysqlErrors = map[uint16]string{
	1040: "too many connections",
	1129: "this host is blocked because of too many connection errors; FLUSH HOSTS on the server, or raise max_connect_errors",
	1130: "this host may not connect; create the user for it on the server",
}

func readGreeting(r *bufio.Reader) Answer {
	const (
		protocol10  = 10
		errorPacket = 0xff
	)
	notMySQL := Answer{Failed, "not a MySQL answer", nil}
	packet := make([]byte, 7) // length, sequence, and the first three bytes of the payload
	if _, err := io.ReadFull(r, packet); err != nil {
		return cutShort(err)
	}
	length := int(packet[0]) | int(packet[1])<<8 | int(packet[2])<<16
	if packet[3] != 0 || length < 3 || length > 4<<10 {
		return notMySQL
	}
	switch packet[4] {
	case protocol10:
		if packet[5] < '0' || packet[5] > '9' { // of the server's version
			return notMySQL
		}
		if _, err := io.CopyN(io.Discard, r, int64(length-3)); err != nil {
			return cutShort(err)
		}
		return Answer{Ready, "it greets", nil}
	case errorPacket:
		code := binary.LittleEndian.Uint16(packet[5:])
		text := mysqlErrors[code]
		if text == "" {
			text = "the server does not accept the connection"
		}
		return Answer{NotReady, fmt.Sprintf("error %d: %s", code, text), nil}
	}
	return notMySQL
}
