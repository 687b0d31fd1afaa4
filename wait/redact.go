package wait

import (
	"errors"
	"net/url"
	"strings"
)

// hidden stands for what may be a credential.
const hidden = "***"

// redact returns u as it may be shown: user information, query and the values of
// headers are hidden.
func redact(u *url.URL) string {
	shown := strings.TrimPrefix(locator(u), "//")
	for i, option := range splitFragment(u) {
		name, value, ok := strings.Cut(option, "=")
		if header, _, found := strings.Cut(value, ":"); name == "header" && found {
			value = header + ":" + hidden
		}
		if ok {
			option = name + "=" + value
		}
		shown += string("#&"[min(i, 1)]) + option
	}
	return shown
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
	scheme, rest, _ := strings.Cut(s, "://")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = hidden + rest[at:]
	}
	if end := strings.IndexByte(rest, '?'); end >= 0 {
		rest = rest[:end] + "?" + hidden
	}
	if end := strings.Index(rest, "header="); end >= 0 {
		rest = rest[:end] + "header=" + hidden
	}
	return scheme + "://" + rest
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
