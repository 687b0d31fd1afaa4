package wait

import (
	"errors"
	"net/url"
	"strings"
)

// hidden replaces what may be a credential.
const hidden = "***"

// redact returns u without credentials: it hides user information, the query, the values
// of headers, and any option that may be a part of one of these.
func redact(u *url.URL) string {
	shown := strings.TrimPrefix(locator(u), "//")
	header := false
	for i, option := range splitFragment(u) {
		shown += string("#&"[min(i, 1)]) + redactOption(option, header)
		header = header || strings.HasPrefix(option, "header=")
	}
	return shown
}

// redactOption returns an option without credentials. afterHeader says whether it follows
// a header option.
func redactOption(option string, afterHeader bool) string {
	name, value, _ := strings.Cut(option, "=")
	value, _ = url.PathUnescape(value)
	header, _, found := strings.Cut(value, ":")
	switch name {
	case "status", "body", "ca", "insecure":
		return option
	case "header":
		if found {
			return "header=" + url.PathEscape(header) + ":" + hidden
		}
		return "header=" + hidden
	}
	// This is not a known option. It may be a mistyped header, the rest of a header
	// after a &, or the rest of a password after a #.
	if afterHeader || strings.ContainsAny(option+value, ":@") {
		return hidden
	}
	return option
}

// locator returns u without credentials and without its fragment.
func locator(u *url.URL) string {
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += hidden + "@"
	}
	shown += u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		shown += "?" + hidden
	}
	return shown
}

// redactText returns text that is not a valid URL without credentials. Because of an
// unescaped character in a password, any part of the text may belong to the password.
func redactText(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	} else {
		scheme += "://"
	}
	if end := strings.LastIndexByte(rest, '@'); end >= 0 {
		if strings.ContainsAny(rest[:end], "?#") {
			return scheme + hidden
		}
		rest = hidden + rest[end:]
	} else if host, _, _ := strings.Cut(rest, "/"); ok && !isHostPort(host) {
		return scheme + hidden // may be the part of a password before a comma
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end+1] + hidden
	}
	return scheme + rest
}

// isHostPort reports whether s has no port or a numeric one.
func isHostPort(s string) bool {
	_, port, ok := strings.Cut(s, ":")
	return !ok || strings.HasPrefix(s, "[") || strings.Trim(port, "0123456789") == ""
}

// urlReason returns what is wrong with a URL that url.Parse rejects, without quoting it.
func urlReason(err error) error {
	var parse *url.Error
	if errors.As(err, &parse) {
		err = parse.Err
	}
	var (
		escape url.EscapeError
		host   url.InvalidHostError
	)
	switch {
	case errors.As(err, &escape), errors.As(err, &host):
		return errors.New("it has a character that must be percent-encoded")
	case strings.HasPrefix(err.Error(), "invalid port"):
		return errors.New("its port is not a number, or its password has a character that must be percent-encoded (/ is %2F, # is %23)")
	}
	return errors.New("it is not a URL")
}
