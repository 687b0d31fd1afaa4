package wait

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"regexp"
	"sync"
	"time"
)

// newPostgres returns the prober for postgres://. The rule is that of libpq's PQping: ready
// when the server asks for authentication, accepts the session without, or replies with
// any error except that it cannot accept connections now. It sends a startup message with
// a user name, which is required, and no credentials (PostgreSQL documentation, "Message
// Formats").
func newPostgres(u *url.URL, e *endpoint, o options) Prober {
	startup := sendAndRead(postgresStartup(), readPostgres)
	return newConnProbe(u, e, o, "startup to", func(ctx context.Context, conn net.Conn) Answer {
		answer := startup(ctx, conn)
		if answer.Detail == noAuthNeeded {
			terminate(ctx, conn)
		}
		return answer
	})
}

const (
	postgresVersion   = 3 << 16 // protocol 3.0
	postgresTerminate = "X\x00\x00\x00\x04"
	cannotConnectNow  = "57P03"

	noAuthNeeded = "it lets in without authentication"
)

// postgresStartup returns a StartupMessage. A server without a user of that name logs the
// name.
func postgresStartup() string {
	body := binary.BigEndian.AppendUint32(nil, postgresVersion)
	body = append(body, "user\x00startgate\x00database\x00postgres\x00application_name\x00startgate\x00\x00"...)
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + string(body)
}

// maxTerminate is how long a server may take to end a session, or half of the time left
// if that is less.
const maxTerminate = 500 * time.Millisecond

// terminate ends a session and waits until the server has ended it too. The server still
// sends its settings, and would log an error if the connection were closed.
func terminate(ctx context.Context, conn net.Conn) {
	limit := maxTerminate
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2)
	}
	_ = conn.SetDeadline(time.Now().Add(limit))
	if ctx.Err() != nil {
		return // the new deadline has replaced the one that was set when ctx ended
	}
	if _, err := io.WriteString(conn, postgresTerminate); err == nil {
		_, _ = io.CopyN(io.Discard, conn, 16<<10)
	}
}

var notPostgres = Answer{Failed, "not a PostgreSQL answer", nil}

func readPostgres(r *bufio.Reader) Answer {
	header := make([]byte, 5)
	if n, err := io.ReadFull(r, header); err != nil {
		if n > 0 && header[0] != 'R' && header[0] != 'E' {
			return notPostgres
		}
		return endedEarly(err)
	}
	kind, length := header[0], binary.BigEndian.Uint32(header[1:]) // with its own four bytes
	switch {                                                       // the limits are libpq's
	case kind == 'R' && length >= 8 && length <= 2000:
	case kind == 'E' && length >= 8 && length <= 30000:
	default:
		return notPostgres
	}
	body := make([]byte, length-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return endedMidAnswer(err)
	}
	if kind == 'R' {
		return judgeAuthentication(binary.BigEndian.Uint32(body))
	}
	return judgeState(sqlState(body))
}

// judgeAuthentication judges a request for authentication; 0 means that none is needed.
func judgeAuthentication(request uint32) Answer {
	if request == 0 {
		return Answer{Ready, noAuthNeeded, nil}
	}
	return Answer{Ready, "it asks for authentication", nil}
}

// judgeState judges the SQLSTATE of an error; it is empty when the error has none.
func judgeState(code string) Answer {
	switch code {
	case "":
		return notPostgres
	case cannotConnectNow:
		return Answer{NotReady, code + ": the server is starting up, shutting down or recovering", nil}
	}
	return Answer{Ready, "it answers with " + code, nil}
}

// stateField matches a field that holds an SQLSTATE.
var stateField = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^C[0-9A-Z]{5}$`) })

// sqlState returns the SQLSTATE of an ErrorResponse. Each of its fields is a letter and a
// string that ends with NUL; another NUL follows the last field.
func sqlState(body []byte) string {
	for len(body) > 0 && body[0] != 0 {
		field, rest, whole := bytes.Cut(body, []byte{0})
		if whole && stateField().Match(field) {
			return string(field[1:])
		}
		body = rest
	}
	return ""
}
