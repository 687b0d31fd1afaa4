package wait

import (
	"bufio"
	"encoding/json"
	"net/url"
	"strings"
)

// newNATS returns the prober for nats://: ready when the server sends INFO (docs.nats.io,
// "Client Protocol"). It sends nothing. A server that requires TLS sends INFO before TLS
// begins, unless its setting handshake_first is on.
func newNATS(u *url.URL, e *endpoint, o options) Prober {
	return newConnProbe(u, e, o, "INFO of", sendAndRead("", readInfo))
}

// maxInfo is longer than any INFO, in bytes. It lists the servers of a cluster.
const maxInfo = 32 << 10

var notNATS = Answer{Failed, "not a NATS answer", nil}

// readInfo reads one line. A server that has its maximum number of connections sends an
// error after it.
func readInfo(r *bufio.Reader) Answer {
	first, err := r.Peek(1)
	switch {
	case err != nil:
		return endedEarly(err)
	case first[0] != 'I':
		return notNATS
	}
	line, err := readLine(r, maxInfo)
	if err != nil {
		return endedMidAnswer(err)
	}
	return judgeInfo(line)
}

// readLine reads a line with its end. It returns the beginning of one that is longer than
// limit.
func readLine(r *bufio.Reader, limit int) (string, error) {
	var line []byte
	for len(line) < limit {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return string(line), err
		}
	}
	return string(line), nil
}

// judgeInfo judges a line with INFO and an object of JSON.
func judgeInfo(line string) Answer {
	text, ok := strings.CutPrefix(line, "INFO ")
	if !ok || !strings.HasSuffix(text, "\r\n") {
		return notNATS
	}
	var info struct {
		Server string `json:"server_id"`
		Ends   bool   `json:"ldm"`
	}
	err := json.Unmarshal([]byte(text), &info)
	switch {
	case err != nil || info.Server == "":
		return notNATS
	case info.Ends:
		return Answer{NotReady, "the server is about to stop (lame duck mode)", nil}
	}
	return Answer{Ready, "INFO", nil}
}
