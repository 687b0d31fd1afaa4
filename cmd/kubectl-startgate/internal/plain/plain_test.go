package plain

import "testing"

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"a line":                                   "a line",
		"\x1b[31;1mERROR\x1b[0m refused":           "ERROR refused",
		"\x1b[38;2;1;2;3mdeep\x1b[m":               "deep",
		"\x1b]0;a title\x07text":                   "text",
		"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
		"\x1b]52;c;cGFzdGU=":                       "",
		"\x1bPq#0\x1b\\picture":                    "picture",
		"\x1b(0\x1b7\x1bcreset":                    "reset",
		"\u009b2Jclear":                            "clear",
		"left over \x1b":                           "left over  ",
		"a\tb\rc\x08d\x00e\x7ff\u0085g\nh":         "a b c d e f g h",
		"off\u202egnp.exe\u2066 end":               "offgnp.exe end",
		"half \xe2\x82 of a rune":                  "half \ufffd of a rune",
		"連接被拒絕 🚀 é":                                "連接被拒絕 🚀 é",
	} {
		if got := Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
