// Package plain makes text of others safe to print: what a terminal would take for an instruction is left out.
package plain

import (
	"regexp"
	"strings"
	"unicode"
)

// escape is an instruction to a terminal (ECMA-48): one with parameters, such as a colour; a string, such as a title,
// up to its end; or a short one.
var escape = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]|" +
	"(?:\x1b[\\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\x07\x1b\u009c]*(?:\x07|\x1b\\\\|\u009c|$)|" +
	"\x1b[ -/]*[0-~]")

// WithoutEscapes returns a line as a terminal would show it, without its colours.
func WithoutEscapes(line string) string {
	if strings.IndexByte(line, '\x1b') < 0 && strings.IndexByte(line, '\xc2') < 0 { // most lines, and fast
		return line
	}
	return escape.ReplaceAllString(line, "")
}

// Text returns a text of one line that prints as it is. Control characters become spaces, and what turns the
// direction of writing is left out.
func Text(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, WithoutEscapes(strings.ToValidUTF8(text, "\ufffd")))
}

// Lines is Text for a text of several lines.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Text(line)
	}
	return strings.Join(lines, "\n")
}
