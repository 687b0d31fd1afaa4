package wait

import (
	"bufio"
	"io"
	"net/url"
	"regexp"
	"strings"
)

// newRedis is for redis:// and rediss://: ready when PING is answered, also by an
// error that a server with its data makes. It is sent as an inline command
// (redis.io/docs, "Redis serialization protocol"), without credentials.
func newRedis(u *url.URL, e *endpoint, o options) Prober {
	return newConversation(u, e, o, "PING", ask("PING\r\n", 512, readPong))
}

// redisCode is the first word of an error, in capitals by convention.
var redisCode = regexp.MustCompile(`^-([A-Z]{1,20})( |\r|$)`)

func readPong(r *bufio.Reader) Answer {
	line, err := r.ReadString('\n')
	switch {
	case line != "" && !strings.ContainsAny(line[:1], "+-"):
		return Answer{Failed, "not a Redis answer", err}
	case err == io.EOF && line != "":
		return cutShort(io.ErrUnexpectedEOF)
	case err != nil:
		return cutShort(err)
	}
	if strings.TrimRight(line, "\r\n") == "+PONG" {
		return Answer{Ready, "PONG", nil}
	}
	code := redisCode.FindStringSubmatch(line)
	switch {
	case code == nil:
		return Answer{Failed, "not a Redis answer", nil}
	case code[1] == "LOADING":
		return Answer{NotReady, "LOADING: the server is reading its data from disk", nil}
	case code[1] == "MASTERDOWN":
		return Answer{NotReady, "MASTERDOWN: the replica has lost its master", nil}
	case strings.HasPrefix(line, "-ERR max number of clients"):
		return Answer{NotReady, "ERR: the server has its maximum number of clients", nil}
	}
	return Answer{Ready, code[1], nil}
}
