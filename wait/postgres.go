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
	"time"
)

// newPostgres is for postgres://: ready by the rule of libpq's PQping, when the
// server asks for authentication, lets in, or says any error but that it cannot
// accept connections now. It sends a startup message, in which a user must be
// named, and no credentials (PostgreSQL documentation, "Message Formats").
func newPostgres(u *url.URL, e *endpoint, o options) Prober {
	startup := ask(postgresStartup(), readPostgres)
	return newConversation(u, e, o, "startup to", func(ctx context.Context, conn net.Conn) Answer {
		answer := startup(ctx, conn)
		if answer.Detail == letIn {
			terminate(ctx, conn)
		}
		return answer
	})
}

const (
	postgresVersion   = 3 << 16 // protocol 3.0
	postgresTerminate = "X\x00\x00\x00\x04"
	cannotConnectNow  = "57P03"

	letIn = "it lets in without authentication"
)

// postgresStartup is StartupMessage. The server logs the name of the user when
// there is none of that name.
func postgresStartup() string {
	body := binary.BigEndian.AppendUint32(nil, postgresVersion)
	body = append(body, "user\x00startgate\x00database\x00postgres\x00application_name\x00startgate\x00\x00"...)
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + string(body)
}

// farewell is how long a server that lets in may take to end the session, or half
// of the time that is left, if that is less.
const farewell = 500 * time.Millisecond

// terminate ends a session and waits for the server to do so too: it still sends
// its settings, and would log that it cannot.
func terminate(ctx context.Context, conn net.Conn) {
	patience := farewell
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(end)/2)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if ctx.Err() != nil {
		return // its deadline is lost
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
		return cutShort(err)
	}
	kind, length := header[0], binary.BigEndian.Uint32(header[1:])-4
	switch { // the bounds are libpq's
	case kind == 'R' && length >= 4 && length <= 2000:
	case kind == 'E' && length <= 30000:
	default:
		return notPostgres
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return cutInside(err)
	}
	if kind == 'R' {
		return authentication(binary.BigEndian.Uint32(body))
	}
	return judgeState(sqlState(body))
}

// authentication judges which is requested; 0 is none.
func authentication(request uint32) Answer {
	if request == 0 {
		return Answer{Ready, letIn, nil}
	}
	return Answer{Ready, "it asks for authentication", nil}
}

// judgeState judges the SQLSTATE of an error, if there is one.
func judgeState(code string) Answer {
	switch code {
	case "":
		return notPostgres
	case cannotConnectNow:
		return Answer{NotReady, code + ": the server is starting up, shutting down or recovering", nil}
	}
	return Answer{Ready, "it answers with " + code, nil}
}

// isState is what a field with an SQLSTATE looks like.
var isState = regexp.MustCompile(`^C[0-9A-Z]{5}$`)

// sqlState returns the SQLSTATE among the fields of an ErrorResponse: each is a
// letter and a string that ends with NUL, and a NUL follows the last.
func sqlState(body []byte) string {
	for len(body) > 0 && body[0] != 0 {
		field, rest, whole := bytes.Cut(body, []byte{0})
		if whole && isState.Match(field) {
			return string(field[1:])
		}
		body = rest
	}
	return ""
}
