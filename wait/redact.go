package wait

import (
	"net/url"
	"strings"
)

// hidden replaces what may be a credential.
const hidden = "***"

// redact returns u, whose options are known, without credentials: it hides user
// information, the query and the values of headers.
func redact(u *url.URL) string {
	shown := locator(u)
	for i, option := range splitFragment(u) {
		shown += string("#&"[min(i, 1)]) + redactOption(option)
	}
	return shown
}

func redactOption(option string) string {
	value, isHeader := strings.CutPrefix(option, "header=")
	if !isHeader {
		return option
	}
	value, _ = url.PathUnescape(value)
	name, _, _ := strings.Cut(value, ":")
	return "header=" + escapeOption(name) + ":" + hidden
}

// locator returns u without credentials and without its fragment. Everything in it is ASCII.
func locator(u *url.URL) string {
	shown := u.Scheme + "://"
	if u.User != nil {
		if u.User.String() != "" { // it is empty in the URL of an abstract Unix socket
			shown += hidden
		}
		shown += "@"
	}
	host := url.URL{Host: u.Host} // escaped by its String, as the zone of an IPv6 address must be
	shown += strings.TrimPrefix(host.String(), "//") + u.EscapedPath()
	if u.RawQuery != "" {
		shown += "?" + hidden
	}
	return shown
}
