package wait

import (
	"bufio"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// ping is sent as an array of bulk strings (redis.io/docs, "Redis serialization protocol"):
// proxies such as twemproxy and Envoy do not know inline commands.
const ping = "*1\r\n$4\r\nPING\r\n"

// newRedis returns the prober for redis:// and rediss://: ready when PING gets a reply,
// even an error such as NOAUTH, but not "max number of clients" or one of redisErrors. It
// sends no credentials.
func newRedis(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "PING", sendAndRead(ping, readPong))
}

var notRedis = Answer{Failed, "not a Redis answer", nil}

// readPong reads one line. The beginning of a line that does not fit into the reader's
// buffer is enough to judge an error.
func readPong(r *bufio.Reader) Answer {
	first, err := r.Peek(1)
	switch {
	case err != nil:
		return endedEarly(err)
	case first[0] != '+' && first[0] != '-':
		return notRedis
	}
	line, err := r.ReadSlice('\n')
	text := string(line)
	switch {
	case err == bufio.ErrBufferFull:
		return judgeRedisError(text)
	case err != nil:
		return endedMidAnswer(err)
	case !strings.HasSuffix(text, "\r\n"):
		return notRedis
	case text == "+PONG\r\n":
		return Answer{Ready, "PONG", nil}
	}
	return judgeRedisError(text)
}

// redisCode matches an error. Its first word is in capitals by convention.
var redisCode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-([A-Z]{1,20})[ \r]`) })

// redisErrors explains the errors of a server that is not ready.
var redisErrors = map[string]string{
	"LOADING":    "the server is reading its data from disk",
	"MASTERDOWN": "the replica has lost its master",
	"DENIED":     "protected mode lets in only the server's own machine; give the server a password (requirepass), or protected-mode no",
}

// judgeRedisError judges an error by its first word.
func judgeRedisError(line string) Answer {
	code := redisCode().FindStringSubmatch(line)
	switch {
	case code == nil:
		return notRedis
	case redisErrors[code[1]] != "":
		return Answer{NotReady, code[1] + ": " + redisErrors[code[1]], nil}
	case strings.HasPrefix(line, "-ERR max number of clients"):
		return Answer{NotReady, "ERR: the server has its maximum number of clients", nil}
	}
	return Answer{Ready, code[1], nil}
}
