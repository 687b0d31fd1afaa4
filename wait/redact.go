package wait

import (
	"errors"
	"net/url"
	"strings"
)

// hidden stands for what may be a credential.
const hidden = "***"

// redact returns u as it may be shown: user information, query, the values of
// headers, and what may be part of one, are hidden.
func redact(u *url.URL) string {
	shown := strings.TrimPrefix(locator(u), "//")
	header := false
	for i, option := range splitFragment(u) {
		shown += string("#&"[min(i, 1)]) + redactOption(option, header)
		header = header || strings.HasPrefix(option, "header=")
	}
	return shown
}

// redactOption returns an option as it may be shown, after a header or not.
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
	// It is no option: a mistyped header, the rest of one after a &, or the rest
	// of a password after a #.
	if afterHeader || strings.ContainsAny(option+value, ":@") {
		return hidden
	}
	return option
}

// locator returns the part of u that is sent to, as it may be shown.
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

// redactText returns text that could not be understood as it may be shown: with
// a stray character in a password, any part of it may be the password.
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
		return scheme + hidden // what stands before a comma in a password
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end+1] + hidden
	}
	return scheme + rest
}

// isHostPort tells whether s has no port, or one that is a number.
func isHostPort(s string) bool {
	_, port, ok := strings.Cut(s, ":")
	return !ok || strings.HasPrefix(s, "[") || strings.Trim(port, "0123456789") == ""
}

// urlFault is what url.Parse found wrong, without the URL.
func urlFault(err error) error {
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
