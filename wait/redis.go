package wait

import (
	"bufio"
	"net/url"
	"regexp"
	"strings"
)

// newRedis returns the prober for redis:// and rediss://: ready when PING gets a reply,
// even an error such as NOAUTH, but not LOADING, MASTERDOWN or "max number of clients". PING
// is sent as an inline command (redis.io/docs, "Redis serialization protocol"), without
// credentials.
func newRedis(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "PING", sendAndRead("PING\r\n", readPong))
}

// readPong reads one line, which must fit into the reader's buffer.
func readPong(r *bufio.Reader) Answer {
	first, err := r.Peek(1)
	switch {
	case err != nil:
		return endedEarly(err)
	case first[0] != '+' && first[0] != '-':
		return notRedis
	}
	line, err := r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return notRedis
	case err != nil:
		return endedMidAnswer(err)
	}
	return judgePong(string(line))
}

var notRedis = Answer{Failed, "not a Redis answer", nil}

// redisCode matches an error. Its first word is in capitals by convention.
var redisCode = regexp.MustCompile(`^-([A-Z]{1,20})[ \r]`)

// judgePong judges a complete line.
func judgePong(line string) Answer {
	if !strings.HasSuffix(line, "\r\n") {
		return notRedis
	}
	if line == "+PONG\r\n" {
		return Answer{Ready, "PONG", nil}
	}
	code := redisCode.FindStringSubmatch(line)
	switch {
	case code == nil:
		return notRedis
	case code[1] == "LOADING":
		return Answer{NotReady, "LOADING: the server is reading its data from disk", nil}
	case code[1] == "MASTERDOWN":
		return Answer{NotReady, "MASTERDOWN: the replica has lost its master", nil}
	case strings.HasPrefix(line, "-ERR max number of clients"):
		return Answer{NotReady, "ERR: the server has its maximum number of clients", nil}
	}
	return Answer{Ready, code[1], nil}
}
