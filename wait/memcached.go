package wait

import (
	"bufio"
	"net/url"
	"strings"
)

// newMemcached returns the prober for memcached://: ready when the server says its version,
// or that it wants a password first (memcached's doc/protocol.txt).
func newMemcached(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "version of", sendAndRead("version\r\n", readMemcached))
}

var notMemcached = Answer{Failed, "not a memcached answer", nil}

// readMemcached reads one line.
func readMemcached(r *bufio.Reader) Answer {
	first, err := r.Peek(1)
	switch {
	case err != nil:
		return endedEarly(err)
	case !strings.ContainsRune("VCSE", rune(first[0])): // what judgeMemcached knows begins so
		return notMemcached
	}
	line, err := r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return notMemcached
	case err != nil:
		return endedMidAnswer(err)
	}
	return judgeMemcached(string(line))
}

// judgeMemcached judges a line by its first words.
func judgeMemcached(line string) Answer {
	text, whole := strings.CutSuffix(line, "\r\n")
	version, isVersion := strings.CutPrefix(text, "VERSION ")
	switch {
	case !whole:
		return notMemcached
	case isVersion && version != "":
		return Answer{Ready, "VERSION", nil}
	case text == "CLIENT_ERROR unauthenticated":
		return Answer{Ready, "it asks for authentication", nil}
	case text == "ERROR Too many open connections":
		return Answer{NotReady, "ERROR: the server has its maximum number of connections", nil}
	case strings.HasPrefix(text, "SERVER_ERROR "):
		return Answer{NotReady, "SERVER_ERROR: the server cannot answer", nil}
	}
	return notMemcached
}
