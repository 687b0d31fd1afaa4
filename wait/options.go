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
	statuses []statuses // to accept, of HTTP or of gRPC; empty: 200, or only SERVING
	header   http.Header
	body     string      // the body to accept; empty: any
	contains []string    // what an accepted body contains
	json     []jsonValue // what an accepted body has
	ca       *caFiles    // of the CAs to trust; nil: the system's
	insecure bool
	empty    bool // an empty file is accepted
}

// statuses is a range of HTTP statuses, or of gRPC's.
type statuses struct{ first, last int }

// accepts reports whether status means ready.
func (o options) accepts(status int) bool {
	if len(o.statuses) == 0 {
		return status == http.StatusOK
	}
	return o.lists(status)
}

// lists reports whether status is one of those that an option names.
func (o options) lists(status int) bool {
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

// escapeOption percent-encodes the value of an option.
func escapeOption(value string) string {
	return strings.ReplaceAll(url.PathEscape(value), "&", "%26")
}

func parseOptions(u *url.URL, known []string) (options, error) {
	o := options{header: http.Header{}}
	for _, option := range splitFragment(u) {
		name, value, _ := strings.Cut(option, "=")
		if !slices.Contains(known, name) {
			return o, unknownOption(u.Scheme, name, known)
		}
		if err := o.set(u.Scheme, name, value); err != nil {
			return o, err
		}
	}
	return o, o.ca.check()
}

// set sets the option of a name. Its value is still percent-encoded.
func (o *options) set(scheme, name, encoded string) error {
	value, err := url.PathUnescape(encoded)
	if err != nil {
		return fmt.Errorf("the value of #%s is not percent-encoded", name)
	}
	switch name {
	case "status":
		if scheme == "grpc" || scheme == "grpcs" {
			return o.addGRPCStatus(value)
		}
		return o.addStatuses(value)
	case "contains":
		return o.addContains(value)
	case "json":
		return o.addJSON(encoded)
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
		return errors.New("#status is not a status: write #status=204 or #status=200-299")
	}
	o.statuses = append(o.statuses, statuses{first, last})
	return nil
}

// addGRPCStatus takes a name or a number of grpcCodes.
func (o *options) addGRPCStatus(value string) error {
	code := slices.Index(grpcCodes[:], value)
	if code < 0 {
		number, err := strconv.ParseUint(value, 10, 8)
		if err != nil || number >= uint64(len(grpcCodes)) {
			return errors.New("#status is not a gRPC status: write #status=UNIMPLEMENTED or #status=12")
		}
		code = int(number)
	}
	if code == 0 {
		return errors.New("#status=OK is not needed: SERVING is ready without it")
	}
	o.statuses = append(o.statuses, statuses{code, code})
	return nil
}

func (o *options) addHeader(value string) error {
	name, text, ok := strings.Cut(value, ":")
	if !ok || strings.ContainsFunc(value, isControl) || !isToken(name) {
		return errors.New("#header is not a header: write #header=Name:value")
	}
	name, text = http.CanonicalHeaderKey(name), strings.TrimSpace(text)
	switch name {
	case "Connection", "Content-Length", "Trailer", "Transfer-Encoding":
		return fmt.Errorf("#header cannot set %s: a request has no body, and its connection is closed", name)
	case "Host":
		u, err := url.Parse("//" + text)
		if o.header[name] != nil || err != nil || u.Host != text || !isHost(u.Hostname()) {
			return errors.New("#header=Host: takes one host, with or without a port")
		}
	}
	o.header.Add(name, text)
	return nil
}

// isControl reports whether r is a control character that no header may have (RFC 9110,
// section 5.5).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// isToken reports whether name is a valid header name (RFC 9110, section 5.6.2). net/http
// silently drops headers with invalid names.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// unknownOption returns the error for an option that URLs of a scheme do not take. It may
// be the rest of a password, or of the value before it.
func unknownOption(scheme, name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("%s:// takes no options; in a password # is written %%23", scheme)
	}
	if near := nearest.To(name, known); near != "" {
		return fmt.Errorf("unknown option: did you mean #%s?", near)
	}
	return fmt.Errorf("unknown option: %s:// knows #%s; in a value & is written %%26, in a password # is %%23",
		scheme, strings.Join(known, ", #"))
}
