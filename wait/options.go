package wait

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/startgate/startgate/wait/nearest"
)

// options holds the options in the fragment of a URL.
type options struct {
	statuses []statuses // to accept; empty: 200
	header   http.Header
	body     string   // the body to accept; empty: any
	ca       *caFiles // of the CAs to trust; nil: the system's
	insecure bool
	empty    bool // an empty file is accepted
}

// statuses is a range of HTTP statuses.
type statuses struct{ first, last int }

// accepts reports whether status means ready.
func (o options) accepts(status int) bool {
	if len(o.statuses) == 0 {
		return status == http.StatusOK
	}
	return slices.ContainsFunc(o.statuses, func(s statuses) bool { return s.first <= status && status <= s.last })
}

// tls returns the configuration of TLS connections to a host, without the CAs.
func (o options) tls(host string) *tls.Config {
	return &tls.Config{ServerName: host, InsecureSkipVerify: o.insecure} //nolint:gosec // the user asked for it
}

// splitFragment returns the options of a URL, still percent-encoded.
func splitFragment(u *url.URL) []string {
	if u.Fragment == "" {
		return nil
	}
	return strings.Split(u.EscapedFragment(), "&")
}

func parseOptions(u *url.URL, known []string) (options, error) {
	o := options{header: http.Header{}}
	for _, option := range splitFragment(u) {
		name, value, _ := strings.Cut(option, "=")
		value, err := url.PathUnescape(value)
		if err != nil {
			return o, fmt.Errorf("the value of #%s is not percent-encoded", name)
		}
		if !slices.Contains(known, name) {
			return o, o.unknown(u, name, known)
		}
		if err := o.set(name, value); err != nil {
			return o, err
		}
	}
	return o, o.ca.check()
}

func (o *options) set(name, value string) error {
	switch name {
	case "status":
		return o.addStatuses(value)
	case "header":
		return o.addHeader(value)
	case "body":
		if o.body = strings.TrimSpace(value); len(o.body) > maxQuote {
			return fmt.Errorf("#body is longer than %d bytes, which is as much as is compared", maxQuote)
		}
	case "ca":
		if o.ca == nil {
			o.ca = &caFiles{}
		}
		o.ca.paths = append(o.ca.paths, value)
	case "insecure":
		return setFlag(&o.insecure, name, value)
	case "empty":
		return setFlag(&o.empty, name, value)
	}
	return nil
}

func setFlag(flag *bool, name, value string) error {
	if value != "" {
		return fmt.Errorf("#%s has no value: write #%s, or leave it out", name, name)
	}
	*flag = true
	return nil
}

func (o *options) addStatuses(value string) error {
	low, high, isRange := strings.Cut(value, "-")
	if !isRange {
		high = low
	}
	first, err1 := strconv.Atoi(low)
	last, err2 := strconv.Atoi(high)
	if err1 != nil || err2 != nil || first < 200 || last > 599 || first > last {
		return fmt.Errorf("#status=%s is not a status: write #status=204 or #status=200-299", value)
	}
	o.statuses = append(o.statuses, statuses{first, last})
	return nil
}

func (o *options) addHeader(value string) error {
	name, text, ok := strings.Cut(value, ":")
	if !ok || strings.ContainsAny(value, "\r\n\x00") || !isToken(name) {
		return fmt.Errorf("#header=%s is not a header: write #header=Name:value", hidden)
	}
	o.header.Add(name, strings.TrimSpace(text))
	return nil
}

// isToken reports whether name is a valid header name (RFC 9110, section 5.6.2). net/http
// silently drops headers with invalid names.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// errNotFragment is for a URL whose fragment may in fact be the end of a password.
var errNotFragment = errors.New("a # or / in a password must be written %23 or %2F")

// unknown returns the error for an option that URLs like u do not take. Its text leaves the
// name out when that may be the rest of a password or of a header's value.
func (o *options) unknown(u *url.URL, name string, known []string) error {
	if strings.Contains(u.Fragment, "@") && u.User == nil {
		return errNotFragment
	}
	if len(known) == 0 {
		return fmt.Errorf("%s:// takes no options, and it has #%s", u.Scheme, name)
	}
	if near := nearest.To(name, known); near != "" {
		return fmt.Errorf("unknown option #%s: did you mean #%s?", name, near)
	}
	if len(o.header) > 0 {
		return errors.New("unknown option after #header: a & in the value of a header must be written %26")
	}
	return fmt.Errorf("unknown option #%s: %s:// knows #%s", name, u.Scheme, strings.Join(known, ", #"))
}
