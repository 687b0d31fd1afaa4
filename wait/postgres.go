package wait

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
)

// newPostgres is for postgres://: ready by the rule of libpq's PQping, when the
// server asks for authentication, lets in, or says any error but that it cannot
// accept connections now. It sends a startup message, in which a user must be
// named, and no credentials (PostgreSQL documentation, "Message Formats").
func newPostgres(u *url.URL, e *endpoint, o options) Prober {
	startup := ask(postgresStartup(), 8<<10, readPostgres)
	return newConversation(u, e, o, "startup to", func(ctx context.Context, conn net.Conn) Answer {
		answer := startup(ctx, conn)
		if answer.Detail == letIn {
			_, _ = io.WriteString(conn, postgresTerminate)
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

func readPostgres(r *bufio.Reader) Answer {
	notPostgres := Answer{Failed, "not a PostgreSQL answer", nil}
	header := make([]byte, 5)
	if n, err := io.ReadFull(r, header); err != nil {
		if n > 0 && header[0] != 'R' && header[0] != 'E' {
			return notPostgres
		}
		return cutShort(err)
	}
	length := binary.BigEndian.Uint32(header[1:]) - 4
	switch {
	case header[0] == 'R' && length >= 4 && length <= 2000: // libpq's bound
		return readAuthentication(r)
	case header[0] != 'E' || length > 30000: // libpq's bound of an error
		return notPostgres
	}
	code, err := sqlState(io.LimitReader(r, int64(length)))
	switch {
	case err != nil:
		return cutShort(err)
	case code == "":
		return notPostgres
	case code == cannotConnectNow:
		return Answer{NotReady, code + ": the server is starting up, shutting down or recovering", nil}
	}
	return Answer{Ready, "it answers with " + code, nil}
}

// readAuthentication reads which authentication is requested; 0 is none.
func readAuthentication(r io.Reader) Answer {
	var request [4]byte
	if _, err := io.ReadFull(r, request[:]); err != nil {
		return cutShort(err)
	}
	if request == [4]byte{} {
		return Answer{Ready, letIn, nil}
	}
	return Answer{Ready, "it asks for authentication", nil}
}

// sqlState returns the SQLSTATE of an ErrorResponse: fields of a letter and a
// string that ends with NUL, up to a NUL.
func sqlState(r io.Reader) (string, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	for field := range bytes.SplitSeq(body, []byte{0}) {
		if code, ok := strings.CutPrefix(string(field), "C"); ok && len(code) == 5 {
			return code, nil
		}
	}
	return "", nil
}
