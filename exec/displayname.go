package exec

import "strings"

// DisplayName returns the name of a program as a log may show it, which more people read
// than a manifest. A name that is a whole command, an assignment, a flag or a URL by mistake
// may have a password in it: of such a name only the beginning is shown, and *** for the rest.
func DisplayName(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return name
	}
	first := words[0]
	switch end := publicLength(first); {
	case end < len(first):
		return first[:end] + "***"
	case len(words) > 1:
		return first + " ***"
	}
	return name
}

// publicLength returns how much of a word can hold no password.
func publicLength(word string) int {
	if len(word) > 2 && word[0] == '-' && word[1] != '-' { // -pPASSWORD, as clients of databases have it
		return 2
	}
	end := len(word)
	if i := strings.Index(word, "://"); i >= 0 {
		end = i + len("://")
	} else if at := strings.LastIndex(word, "@"); at >= 0 { // USER:PASSWORD@HOST
		if colon := strings.Index(word[:at], ":"); colon >= 0 {
			end = colon + 1
		}
	}
	if i := strings.Index(word, "="); i >= 0 && !strings.Contains(word[:i], "/") {
		end = min(end, i+1)
	}
	return end
}
