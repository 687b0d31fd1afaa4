package wait

// This file covers the options that ask for something in an HTTP answer's body.

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// withBody returns the URL of a server that answers with this body.
func withBody(t *testing.T, text string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

func TestBodyContains(t *testing.T) {
	at := withBody(t, strings.Repeat("x", 100<<10)+"green & ready"+strings.Repeat("y", 100<<10))
	wantAnswer(t, at+"#contains=green%20%26%20ready", Ready, "status 200")
	wantAnswer(t, at+"#contains=xgreen&contains=readyy", Ready, "status 200")
	wantAnswer(t, at+"#contains=xgreen&contains=blue", NotReady, `status 200, and its body does not contain "blue"`)
	wantAnswer(t, at+"#contains=Green", NotReady, `status 200, and its body does not contain "Green"`)
	wantAnswer(t, at+"#status=204&contains=green", NotReady, fmt.Sprintf("status 200: %q", strings.Repeat("x", maxQuote)))
	wantAnswer(t, withBody(t, "")+"#contains=%1b", NotReady, `status 200, and its body does not contain "\x1b"`)
}

// A text is found wherever the body is cut into pieces.
func TestTextFinder(t *testing.T) {
	const text, whole = "abcabd", "xxabcabcabdyy"
	for size := 1; size <= len(whole); size++ {
		f := textFinder{text: []byte(text)}
		for at := 0; at < len(whole); at += size {
			if end := min(at+size, len(whole)); f.found != (at >= 11) {
				t.Errorf("pieces of %d: found is %v before %q", size, f.found, whole[at:end])
			}
			f.look([]byte(whole[at:min(at+size, len(whole))]))
		}
		if !f.found {
			t.Errorf("pieces of %d: not found", size)
		}
	}
}

// The pointers are those of RFC 6901, section 5, and some that point to nothing.
func TestBodyJSON(t *testing.T) {
	const document = `{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8,
		"status": "UP", "ok": true, "bad": false, "none": null, "n": 1.50, "deep": {"skip": [{"a": {"b": []}}], "list": [[1, 2], {"x": "y"}]},
		"status": "DOWN", "text": "a\u00e4\n"}`
	for _, test := range []struct{ pointer, value, missing string }{
		{"/foo/0", "bar", ""},
		{"/foo/1", "baz", ""},
		{"/", "0", ""},
		{"/a~1b", "1", ""},
		{"/c%d", "2", ""},
		{"/e^f", "3", ""},
		{"/g|h", "4", ""},
		{`/i\j`, "5", ""},
		{`/k"l`, "6", ""},
		{"/ ", "7", ""},
		{"/m~0n", "8", ""},
		{"/status", "UP", ""}, // the first of that name
		{"/ok", "true", ""},
		{"/bad", "false", ""},
		{"/none", "null", ""},
		{"/n", "1.50", ""},
		{"/deep/list/0/1", "2", ""},
		{"/deep/list/1/x", "y", ""},
		{"/text", "aä\n", ""},

		{"/n", "1.5", `in its body "/n" is not "1.5"`},
		{"/status", "up", `in its body "/status" is not "up"`},
		{"/status", "", `in its body "/status" is not ""`},
		{"/foo", "bar", `in its body "/foo" is not a string, a number, true, false or null`},
		{"/deep", "x", `in its body "/deep" is not a string, a number, true, false or null`},
		{"", "x", `in its body "" is not a string, a number, true, false or null`},
		{"/foo/2", "x", `its body has no "/foo/2"`},
		{"/foo/-", "x", `its body has no "/foo/-"`},
		{"/foo/00", "x", `its body has no "/foo/00"`},
		{"/foo/0/0", "x", `its body has no "/foo/0/0"`},
		{"/Status", "UP", `its body has no "/Status"`},
		{"/a/b", "1", `its body has no "/a/b"`},
		{"/none/x", "1", `its body has no "/none/x"`},
	} {
		var o options
		if err := o.addJSON(url.PathEscape(test.pointer) + "=" + url.PathEscape(test.value)); err != nil {
			t.Fatal(err)
		}
		b := newBody(o)
		if _, err := io.Copy(b, iotest.OneByteReader(strings.NewReader(document))); err != nil {
			t.Fatal(err)
		}
		if got := b.missing(o); got != test.missing {
			t.Errorf("%s=%s: %q, want %q", test.pointer, test.value, got, test.missing)
		}
	}
}

func TestBodyThatIsNotJSON(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"status":"UP"`, `{"status":"UP"} x`, `{"status":"UP"}{}`, strings.Repeat("[", maxJSON)} {
		wantAnswer(t, withBody(t, body)+"#json=/status=UP", NotReady, "status 200, and its body is not JSON")
	}
	wantAnswer(t, withBody(t, ` {"status":"UP"} `)+"#json=/status=UP", Ready, "status 200")
	wantAnswer(t, withBody(t, `"UP"`)+"#json==UP", Ready, "status 200")
	fits := `{"status":"UP"}` + strings.Repeat(" ", maxJSON-len(`{"status":"UP"}`))
	wantAnswer(t, withBody(t, fits)+"#json=/status=UP&contains=UP", Ready, "status 200")
	wantAnswer(t, withBody(t, fits+" ")+"#json=/status=UP", NotReady, "status 200, and its body is longer than the 64 kB that #json reads")
}

// Bodies that are long or hard to parse cost little memory.
func TestBodyMemory(t *testing.T) {
	for option, text := range map[string][]byte{
		"contains=" + strings.Repeat("a", 199) + "b": bytes.Repeat([]byte("a"), maxBody),
		"json=/2000/0=x":  []byte("[" + strings.Repeat("1,", maxJSON/2-2) + "1]"),
		"json=/0/0/0/0=x": []byte(strings.Repeat("[", 9000) + strings.Repeat("]", 9000)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var o options
		name, value, _ := strings.Cut(option, "=")
		if err := o.set("http", name, value); err != nil {
			t.Fatal(err)
		}
		b := newBody(o)
		for piece := range slices.Chunk(text, smallBuffer) {
			_, _ = b.Write(piece)
		}
		missing := b.missing(o)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; missing == "" || n > 2*maxAlloc {
			t.Errorf("%.20s: allocated %d kB; %s", option, n>>10, missing)
		}
	}
}

// FuzzBodyJSON lets a server send any body, to any pointer.
func FuzzBodyJSON(f *testing.F) {
	for _, pointer := range []string{"", "/", "/a", "/a/0", "/~01", "/a%3D"} {
		for _, document := range []string{"", "1", `"x"`, `{"a":["x"]}`, `{"a":`, `[[[`, `{"a":{},"a":1}`, "null", `{"a" 1}`} {
			f.Add(pointer+"=x", []byte(document))
		}
	}
	f.Fuzz(func(t *testing.T, option string, document []byte) {
		var o options
		if err := o.addJSON(option); err != nil {
			return
		}
		b := newBody(o)
		_, _ = b.Write(document)
		missing := b.missing(o)
		if printable(missing) != missing[:min(len(missing), 300)] {
			t.Errorf("%q of %q: %q", option, document, missing)
		}
	})
}
