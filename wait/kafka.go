package wait

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/url"
)

// newKafka returns the prober for kafka:// and kafkas://: ready when the broker responds to
// ApiVersions (kafka.apache.org/protocol). A broker responds to it before it authenticates a
// client. Version 0 is known to every broker since 0.10.
func newKafka(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "ApiVersions of", sendAndRead(apiVersions, readAPIVersions))
}

// apiVersions is the length of the request, its key (18) and version, the correlation id,
// and the client's name with its length.
const apiVersions = "\x00\x00\x00\x13" + "\x00\x12\x00\x00" + correlationID + "\x00\x09startgate"

const correlationID = "gate"

// maxAPIVersions is longer than any response, in bytes: a broker has fewer than a hundred
// APIs, and each takes six.
const maxAPIVersions = 8 << 10

var notKafka = Answer{Failed, "not a Kafka answer", nil}

// readAPIVersions reads one response: the length, the correlation id and the body.
func readAPIVersions(r *bufio.Reader) Answer {
	header := make([]byte, 8)
	if _, err := io.ReadFull(r, header); err != nil {
		return endedEarly(err)
	}
	length := binary.BigEndian.Uint32(header) // with the correlation id
	if string(header[4:]) != correlationID || length < 6 || length > maxAPIVersions {
		return notKafka
	}
	body := make([]byte, length-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return endedMidAnswer(err)
	}
	switch code := int16(binary.BigEndian.Uint16(body)); {
	case code != 0:
		return Answer{Ready, fmt.Sprintf("it answers with error %d", code), nil}
	case !isAPIList(body[2:]):
		return notKafka
	}
	return Answer{Ready, "it answers", nil}
}

// isAPIList reports whether list is a number and as many APIs: the key, the first and the
// last version of each.
func isAPIList(list []byte) bool {
	const size = 6
	return len(list) >= 4+size && (len(list)-4)%size == 0 && int(binary.BigEndian.Uint32(list)) == (len(list)-4)/size
}
