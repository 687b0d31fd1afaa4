package wait

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// maxJSON is the longest body in which the option json looks, in bytes.
const maxJSON = 64 << 10

// body is an [io.Writer] that remembers of an answer's body what the options ask for.
type body struct {
	kept  []byte // the beginning
	keep  int    // how much of it
	size  int
	texts []textFinder
}

func newBody(o options) *body {
	b := &body{keep: maxQuote}
	if len(o.json) > 0 {
		b.keep = maxJSON
	}
	for _, text := range o.contains {
		b.texts = append(b.texts, textFinder{text: []byte(text)})
	}
	return b
}

// Write implements [io.Writer].
func (b *body) Write(p []byte) (int, error) {
	b.size += len(p)
	b.kept = append(b.kept, p[:min(len(p), b.keep-len(b.kept))]...)
	for i := range b.texts {
		b.texts[i].look(p)
	}
	return len(p), nil
}

// textFinder finds a text in a body that arrives in pieces.
type textFinder struct {
	text   []byte
	found  bool
	window []byte // the end of what came before: the text may begin there
}

func (f *textFinder) look(piece []byte) {
	if f.found {
		return
	}
	f.window = append(f.window, piece...)
	f.found = bytes.Contains(f.window, f.text)
	seen := max(0, len(f.window)-len(f.text)+1)
	f.window = f.window[:copy(f.window, f.window[seen:])]
}

// missing says what the whole body has not that the options want; it is empty when the
// body has all.
func (b *body) missing(o options) string {
	if o.body != "" && (b.size > maxQuote || strings.TrimSpace(string(b.kept)) != o.body) {
		return fmt.Sprintf("its body is not %q", o.body)
	}
	for _, f := range b.texts {
		if !f.found {
			return fmt.Sprintf("its body does not contain %q", f.text)
		}
	}
	switch {
	case len(o.json) == 0:
		return ""
	case b.size > maxJSON:
		return fmt.Sprintf("its body is longer than the %d kB that #json reads", maxJSON>>10)
	case !json.Valid(b.kept):
		return "its body is not JSON"
	}
	for _, want := range o.json {
		if missing := want.missing(b.kept); missing != "" {
			return missing
		}
	}
	return ""
}

// jsonValue is a value that a document must have.
type jsonValue struct {
	pointer string // as the user wrote it
	path    []string
	value   string
}

func (o *options) addContains(text string) error {
	if text == "" || len(text) > maxQuote {
		return fmt.Errorf("#contains takes a text of 1 to %d bytes", maxQuote)
	}
	o.contains = append(o.contains, text)
	return nil
}

// addJSON takes a pointer, an equals sign and a value. An equals sign in the pointer is
// percent-encoded.
func (o *options) addJSON(encoded string) error {
	pointer, value, ok := strings.Cut(encoded, "=")
	pointer, err1 := url.PathUnescape(pointer)
	value, err2 := url.PathUnescape(value)
	path, valid := parsePointer(pointer)
	switch {
	case !ok || !valid || err1 != nil || err2 != nil:
		return errors.New("#json is not a pointer and a value: write #json=/status=UP; in a name / is ~1 and ~ is ~0")
	case len(pointer)+len(value) > maxQuote:
		return fmt.Errorf("#json is longer than %d bytes", maxQuote)
	}
	o.json = append(o.json, jsonValue{pointer, path, value})
	return nil
}

// parsePointer returns the names in a JSON pointer (RFC 6901, sections 3 and 4).
func parsePointer(pointer string) (path []string, ok bool) {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return nil, pointer == ""
	}
	escapes := strings.NewReplacer("~0", "~", "~1", "/")
	for _, name := range strings.Split(rest, "/") {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(name), "~") {
			return nil, false
		}
		path = append(path, escapes.Replace(name))
	}
	return path, true
}

// missing says what a document of JSON has not.
func (v jsonValue) missing(document []byte) string {
	found := valueAt(json.NewDecoder(bytes.NewReader(document)), v.path)
	text := string(found)
	switch {
	case found == nil:
		return fmt.Sprintf("its body has no %q", v.pointer)
	case text[0] == '"':
		_ = json.Unmarshal(found, &text) // cannot fail: the document is valid
	case text[0] == '{', text[0] == '[':
		return fmt.Sprintf("in its body %q is not a string, a number, true, false or null", v.pointer)
	}
	if text != v.value {
		return fmt.Sprintf("in its body %q is not %q", v.pointer, v.value)
	}
	return ""
}

// valueAt returns the value that path names in the next value of a valid document, or nil.
// Of several values with one name it is the first.
func valueAt(document *json.Decoder, path []string) (value json.RawMessage) {
	if len(path) == 0 {
		_ = document.Decode(&value)
		return value
	}
	start, _ := document.Token()
	if _, isDelim := start.(json.Delim); !isDelim {
		return nil
	}
	var skipped json.RawMessage
	for i := 0; document.More(); i++ {
		name := strconv.Itoa(i)
		if start == json.Delim('{') {
			token, _ := document.Token()
			name, _ = token.(string)
		}
		if name == path[0] {
			return valueAt(document, path[1:])
		}
		_ = document.Decode(&skipped)
	}
	return nil
}
