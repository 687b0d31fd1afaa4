package wait

import (
	"bufio"
	"encoding/binary"
	"io"
	"net/url"
)

// newAMQP returns the prober for amqp:// and amqps://: ready when the broker answers the
// header of AMQP 0-9-1 with Connection.Start (AMQP 0-9-1, sections 4.2.2 and 1.4.2.1).
func newAMQP(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "Start of", sendAndRead(amqpHeader, readStart))
}

const (
	amqpHeader   = "AMQP\x00\x00\x09\x01"
	amqp1        = "\x01\x00\x00"     // in such a header: version 1.0
	methodFrame  = "\x01\x00\x00"     // of channel 0
	startMethod  = "\x00\x0a\x00\x0a" // class Connection, method Start
	amqpVersion  = "\x00\x09"         // in Start
	amqpFrameEnd = 0xce
)

// maxStart is longer than any Connection.Start, in bytes: until both sides have agreed on
// another size, a frame has at most 4096.
const maxStart = 4096

var notAMQP = Answer{Failed, "not an AMQP answer", nil}

// readStart reads one frame: type and channel, the length, the payload and the end. A
// broker that does not speak the version of the client answers with the header of one that
// it speaks.
func readStart(r *bufio.Reader) Answer {
	header := make([]byte, 7)
	if _, err := io.ReadFull(r, header); err != nil {
		return endedEarly(err)
	}
	if string(header[:4]) == amqpHeader[:4] {
		return readVersion(r, header[5:])
	}
	length := binary.BigEndian.Uint32(header[3:])
	if string(header[:3]) != methodFrame || length > maxStart {
		return notAMQP
	}
	frame := make([]byte, length+1)
	if _, err := io.ReadFull(r, frame); err != nil {
		return endedMidAnswer(err)
	}
	if frame[length] != amqpFrameEnd || !isStart(frame[:length]) {
		return notAMQP
	}
	return Answer{Ready, "Connection.Start", nil}
}

// readVersion reads the rest of a header, of which version has the first bytes of the
// version.
func readVersion(r *bufio.Reader, version []byte) Answer {
	last, err := r.ReadByte()
	if err != nil {
		return endedMidAnswer(err)
	}
	switch string(append(version, last)) {
	case amqpHeader[5:]: // what was sent, as from a server that sends everything back
		return notAMQP
	case amqp1:
		return Answer{NotReady, "it speaks AMQP 1.0, not 0-9-1: write " + portOnly, nil}
	}
	return Answer{NotReady, "it speaks another version of AMQP than 0-9-1: write " + portOnly, nil}
}

// isStart reports whether payload is the method Start of version 0-9-1: the server's
// properties, its mechanisms and its locales follow the version.
func isStart(payload []byte) bool {
	const start = startMethod + amqpVersion
	if len(payload) < len(start) || string(payload[:len(start)]) != start {
		return false
	}
	rest, ok := payload[len(start):], true
	for i := 0; ok && i < 3; i++ {
		rest, ok = afterLong(rest)
	}
	return ok && len(rest) == 0
}

// afterLong returns what follows a field that begins with its length.
func afterLong(b []byte) (rest []byte, ok bool) {
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, false
	}
	return b[4+binary.BigEndian.Uint32(b):], true
}
