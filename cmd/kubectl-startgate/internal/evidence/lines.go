package evidence

import (
	"bufio"
	"bytes"
	"io"
	"iter"
	"regexp"
	"strings"
	"time"
)

func lower(s string) string { return strings.ToLower(s) }

// maxLine is how much of a line is read. What is longer is cut.
const maxLine = 64 << 10

// Lines returns the lines of a log that open opens. Each may begin with the runtime's time, as
// kubectl logs --timestamps writes it, and with the stream, as the kubelet's own files have it.
func Lines(open func() (io.ReadCloser, error)) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		r, err := open()
		if err != nil {
			return
		}
		defer r.Close()
		for text := range Texts(r) {
			if !yield(ParseLine(text)) {
				return
			}
		}
	}
}

// Bytes returns the lines of a log in memory.
func Bytes(log []byte) iter.Seq[Line] {
	return Lines(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(log)), nil })
}

// Texts returns the lines of r, without their ends. Of one that is too long it returns the beginning.
func Texts(r io.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		lines := bufio.NewReaderSize(r, maxLine)
		for {
			line, err := lines.ReadSlice('\n')
			for tail := err; tail == bufio.ErrBufferFull; { // a line without end must not take all memory
				line = bytes.Clone(line)
				_, tail = lines.ReadSlice('\n')
			}
			if len(line) > 0 && !yield(strings.TrimRight(string(line), "\r\n")) {
				return
			}
			if err != nil && err != bufio.ErrBufferFull {
				return
			}
		}
	}
}

// stream is what the kubelet's own files have after the time.
var stream = regexp.MustCompile(`^(stdout|stderr) [FP] `)

// ParseLine splits a line into the runtime's time, if it begins with one, and the text.
func ParseLine(text string) Line {
	word, rest, _ := strings.Cut(text, " ")
	if len(word) < len("2026-11-22T10:41:15Z") || word[4] != '-' || word[10] != 'T' {
		return Line{Text: text}
	}
	at, err := time.Parse(time.RFC3339Nano, word)
	if err != nil {
		return Line{Text: text}
	}
	if found := stream.FindString(rest); found != "" {
		rest = rest[len(found):]
	}
	return Line{At: at, Text: rest}
}
