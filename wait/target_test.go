package wait

// This file covers parsing of targets, lists and options, and that no credentials are
// shown.

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// addresses returns the addresses that a target is probed at and those to knock on.
func addresses(target Target) (asks, knocks []string) {
	probers, several := target.Prober.(firstReachable)
	if !several {
		probers = firstReachable{target.Prober}
	}
	for _, prober := range probers {
		asks = append(asks, addressesOf(prober.(*connProbe).endpoint)...)
	}
	for _, k := range target.ports() {
		knocks = append(knocks, addressesOf(k.(knock).endpoint)...)
	}
	return asks, knocks
}

func addressesOf(e *endpoint) (list []string) {
	if e.host != "" {
		return []string{fmt.Sprintf("%s:%d", e.host, e.port)}
	}
	for _, addr := range e.fixed {
		list = append(list, addr.String())
	}
	return list
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		s, name      string
		asks, knocks string
	}{
		{"istio", "istio", "127.0.0.1:15020 [::1]:15020", "127.0.0.1:15020 [::1]:15020 127.0.0.1:15021 [::1]:15021"},
		{" istio\n", "istio", "127.0.0.1:15020 [::1]:15020", "127.0.0.1:15020 [::1]:15020 127.0.0.1:15021 [::1]:15021"},
		{"http://localhost:8080/up", "http://localhost:8080/up", "127.0.0.1:8080 [::1]:8080", "127.0.0.1:8080 [::1]:8080"},
		{"http://LocalHost.:8080", "http://LocalHost.:8080", "127.0.0.1:8080 [::1]:8080", "127.0.0.1:8080 [::1]:8080"},
		{"http://127.0.0.2:8080/", "http://127.0.0.2:8080/", "127.0.0.2:8080", "127.0.0.2:8080"},
		{"http://[::1]:8080/", "http://[::1]:8080/", "[::1]:8080", "[::1]:8080"},
		{"http://db", "http://db", "db:80", ""},
		{"HTTPS://db/up", "https://db/up", "db:443", ""},
		{"https://db:65535/up", "https://db:65535/up", "db:65535", ""},
		{"http://10.0.0.1:1/", "http://10.0.0.1:1/", "10.0.0.1:1", ""},
		{"http://[2001:db8::1]:1/", "http://[2001:db8::1]:1/", "[2001:db8::1]:1", ""},
		{"http://localhost.example:1/", "http://localhost.example:1/", "localhost.example:1", ""},
		{"http://db/a%2Cb", "http://db/a%2Cb", "db:80", ""},
		{"http://db/#status=204", "http://db/#status=204", "db:80", ""},
		{"http://db/#", "http://db/", "db:80", ""},

		{"http://u:p@db/", "http://***@db/", "db:80", ""},
		{"http://u@db/", "http://***@db/", "db:80", ""},
		{"http://:p%40%2F%23@db/", "http://***@db/", "db:80", ""},
		{"http://db/%40p", "http://db/%40p", "db:80", ""},
		{"http://db/?token=t0ken", "http://db/?***", "db:80", ""},
		{"http://db/?", "http://db/", "db:80", ""},
		{"http://db/#header=X-Token:s3cret", "http://db/#header=X-Token:***", "db:80", ""},
		{"http://db/#header=X-Token%3As3cret", "http://db/#header=X-Token:***", "db:80", ""},
		{"http://db/#header=From:a@db", "http://db/#header=From:***", "db:80", ""},
		{"http://db/#header=X-Token:a:b%26c&status=204&header=Y:", "http://db/#header=X-Token:***&status=204&header=Y:***", "db:80", ""},
	} {
		target, err := Parse(test.s)
		if err != nil {
			t.Errorf("%q: %v", test.s, err)
			continue
		}
		asks, knocks := addresses(target)
		if target.Name != test.name || strings.Join(asks, " ") != test.asks || strings.Join(knocks, " ") != test.knocks {
			t.Errorf("%q: %q, asks %q, knocks %q", test.s, target.Name, asks, knocks)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ s, want string }{
		{"", "empty entry: remove the extra comma, or write none to wait for nothing"},
		{"none", `cannot use target "none": it stands alone, to wait for nothing`},
		{"itsio", `unknown sidecar "itsio": did you mean istio?`},
		{"Istio", `unknown sidecar "Istio": did you mean istio?`},
		{"localhost:8080", `unknown sidecar "localhost:8080": write one of istio, linkerd, consul, kuma, dapr, cloudsql, alloydb, or a URL such as http://localhost:8080/healthz`},
		{"htp://db/", `cannot use target "htp://db/": unknown scheme "htp": did you mean http://?`},
		{"gopher://db/", `unknown scheme "gopher": write one of `},
		{"://db/", `cannot use target "://db/": it is not a URL`},
		{"http://", `cannot use target "http://": it has no host: write http://HOST:80`},
		{"https:///up", `cannot use target "https:///up": it has no host: write https://HOST:443`},
		{"http://:8080/", "it has no host: write http://HOST:8080"},
		{"http://db:0/", `cannot use target "http://db:0/": its port is not between 1 and 65535`},
		{"http://db:65536/", `its port is not between 1 and 65535`},
		{"http://db:99999999999999999999/", `its port is not between 1 and 65535`},
		{"http://db/%zz", "it has a character that must be percent-encoded"},
		{"http://d b/", "it has a character that must be percent-encoded"},

		{"http://db/#stauts=204", `unknown option #stauts: did you mean #status?`},
		{"http://db/#nonsense", `unknown option #nonsense: http:// knows #status, #header`},
		{"unix:///" + strings.Repeat("long", 50), "its path has 201 bytes, and that of a Unix socket has at most 107"},
		{"http://db/#ca=/ca.pem", `unknown option #ca: http:// knows #status, #header`},
		{"https://db/#nonsense", `unknown option #nonsense: https:// knows #status, #header, #body, #ca, #insecure`},
		{"http://db/#status", "#status= is not a status: write #status=204 or #status=200-299"},
		{"http://db/#status=2xx", "#status=2xx is not a status: write #status=204 or #status=200-299"},
		{"http://db/#status=100", "is not a status"}, // a 1xx answer is never the last
		{"http://db/#status=600", "is not a status"},
		{"http://db/#body=" + strings.Repeat("a", 201), "#body is longer than 200 bytes"},
		{"http://db/#status=299-200", "is not a status"},
		{"http://db/#status=200-", "is not a status"},
		{"http://db/#status=200-204-299", "is not a status"},
		{"http://db/#status=%zz", "it has a character that must be percent-encoded"},
		{"http://db/#header=s3cret", "#header=*** is not a header: write #header=Name:value"},
		{"http://db/#header=:s3cret", "#header=*** is not a header: write #header=Name:value"},
		{"http://db/#header=A B:s3cret", "#header=*** is not a header: write #header=Name:value"},
		{"http://db/#header=A(B:s3cret", "#header=*** is not a header: write #header=Name:value"},
		{"http://db/#header=Ä:s3cret", "#header=*** is not a header: write #header=Name:value"},
		{"http://db/#header=A:s3cret%0D%0AB:x", "#header=*** is not a header: write #header=Name:value"},
		{"http://db/#header=A:s3cret%00", "#header=*** is not a header: write #header=Name:value"},
		{"https://db/#insecure=false", "#insecure has no value: write #insecure, or leave it out"},
		{"https://db/#ca=/nonexistent/ca.pem", "cannot read the certificates of #ca=/nonexistent/ca.pem: no such file or directory"},
		{"https://db/#ca=/dev/null", "cannot read the certificates of #ca=/dev/null: it is not a regular file"},
		{"https://db/#ca", "cannot read the certificates of #ca=: no such file or directory"},

		// With a character that is not percent-encoded, any part may belong to the password.
		{"http://user:s3c#ret@db/", `cannot use target "http://***": its port is not a number, or its password has a character that must be percent-encoded (/ is %2F, # is %23)`},
		{"http://user#s3cret@db/", `cannot use target "http://***": a # or / in a password must be written %23 or %2F`},
		{"http://db/%zz?q=x@s3cret", `cannot use target "http://***": it has a character that must be percent-encoded`},
		{"http://db/%zz?q=s3cret", `cannot use target "http://db/%zz?***": it has a character that must be percent-encoded`},
		{"http://db/%zz#header=X:s3cret", `cannot use target "http://db/%zz#***": it has a character that must be percent-encoded`},
		{"http://db/?q=x@s3cret#status=1&header=A:x@s3cret", `cannot use target "http://db/?***#status=1&header=A:***": #status=1 is not a status`},
		{"http://user:s3c/ret@db/", `cannot use target "http://***@db/": its port is not a number, or its password has a character that must be percent-encoded (/ is %2F, # is %23)`},
		// A password with a / first, or after digits, once counted as a path and was shown.
		{"http://user:/s3cret@db/", `cannot use target "http://***@db/": a / in a password must be written %2F, and an @ in a path %40`},
		{"http://:/s3cret@db/", `cannot use target "http://***@db/": a / in a password must be written %2F`},
		{"http://user:80/s3cret@db/", `cannot use target "http://***@db/": a / in a password must be written %2F`},
		{"http://user:p@s3c/ret@db/", `cannot use target "http://***@db/": a / in a password must be written %2F`},
		{"http://user:s3c?ret@db/", `cannot use target "http://***": its port is not a number, or its password`},
		{"http://user:s3c%ret@db/", `cannot use target "http://***@db/": it has a character that must be percent-encoded`},
		{"http://user:s3c ret@db/", `cannot use target "http://***@db/": `},
		{"http://user:s3c@ret@db:port/", `cannot use target "http://***@db:port/": its port is not a number`},
		{"http://user:s3c", `cannot use target "http://***": its port is not a number`},                               // the part before a comma in the password
		{"ret@db/", `cannot use target "***@db/": write its scheme too, as in http://; a comma in a password is %2C`}, // the part after a comma in the password
		{"user:s3cret@db:80", `cannot use target "***@db:80": write its scheme too, as in http://; a comma in a password is %2C`},
		{"htp://user:s3cret@db/?q=s3cret", `cannot use target "htp://***@db/?***": unknown scheme "htp"`},
		{"http://db/?q=s3cret#nonsense", `cannot use target "http://db/?***#nonsense": unknown option #nonsense`},
		{"http://db/#header=X:a&s3cret=b", `cannot use target "http://db/#header=X:***&***": unknown option after #header: a & in the value of a header must be written %26`},
		{"http://db/#header=X:a&stauts=204", `cannot use target "http://db/#header=X:***&***": unknown option #stauts: did you mean #status?`},
		{"http://db/#heder=X%3As3cret", `cannot use target "http://db/#***": unknown option #heder: did you mean #header?`},
		{"http://db/#status=1&header=X:s3cret", `cannot use target "http://db/#status=1&header=X:***": `},
		{"http://db/#heder=X:s3cret", `cannot use target "http://db/#***": unknown option #heder: did you mean #header?`},
		{"http://db/#Header=X:s3cret", `cannot use target "http://db/#***": unknown option #Header: did you mean #header?`},
	} {
		target, err := Parse(test.s)
		if err == nil {
			t.Errorf("%q: no error, %q", test.s, target.Name)
			continue
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q:\n%v, want\n%s", test.s, err, test.want)
		}
		for _, secret := range []string{"s3c", "ret"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v shows %q", test.s, err, secret)
			}
		}
	}
}

func TestParseList(t *testing.T) {
	for _, test := range []struct{ s, want string }{
		{"none", ""},
		{" none ", ""},
		{"istio", "istio"},
		{"istio, http://db/a%2Cb ,istio", "istio http://db/a%2Cb istio"},
		{"http://u:a%2Cb@db/", "http://***@db/"},
	} {
		targets, err := ParseList(test.s)
		var names []string
		for _, target := range targets {
			names = append(names, target.Name)
		}
		if err != nil || strings.Join(names, " ") != test.want {
			t.Errorf("%q: %q, %v", test.s, names, err)
		}
	}
}

// The error names every mistake in a list, and no targets are returned.
func TestParseListErrors(t *testing.T) {
	const empty = "empty entry: remove the extra comma, or write none to wait for nothing"
	for _, test := range []struct{ s, want string }{
		{"", empty},
		{"istio,", empty},
		{",,", empty + "\n" + empty + "\n" + empty},
		{"istio,none", `cannot use target "none": it stands alone, to wait for nothing`},
		{"itsio,http://db:0/", `unknown sidecar "itsio": did you mean istio?` + "\n" + `cannot use target "http://db:0/": its port is not between 1 and 65535`},
	} {
		targets, err := ParseList(test.s)
		if err == nil || err.Error() != test.want || targets != nil {
			t.Errorf("%q: %v, %v, want %s", test.s, targets, err, test.want)
		}
	}
}

// A comma that is not encoded splits a password in two. The error shows neither part. It once
// showed the second one as the name of an unknown sidecar, also that of a query or a header.
func TestParseListHidesSplitPasswords(t *testing.T) {
	for _, list := range []string{
		"http://user:s3c,r3t@db/,istio",
		"http://user:s3c,r3t,r3t@db/,istio",
		"http://db/?token=s3c,r3t",
		"http://db/#header=Authorization:s3c,r3t",
		"http://db/?token=s3c,istio,r3t",
	} {
		_, err := ParseList(list)
		if err == nil || strings.Contains(err.Error(), "s3c") || strings.Contains(err.Error(), "r3t") {
			t.Errorf("%s: %v", list, err)
		}
	}
	_, err := ParseQuitList("http://localhost:1/#header=Authorization:s3c,r3t", func(string) string { return "" })
	if err == nil || err.Error() != errAfterComma.Error() {
		t.Errorf("%v", err)
	}
}

func TestParseOptions(t *testing.T) {
	for _, test := range []struct {
		fragment string
		want     options
	}{
		{"", options{header: http.Header{}}},
		{"status=204", options{header: http.Header{}, statuses: []statuses{{204, 204}}}},
		{"status=200-299&status=304", options{header: http.Header{}, statuses: []statuses{{200, 299}, {304, 304}}}},
		{"insecure", options{header: http.Header{}, insecure: true}},
		{"header=metadata-flavor:Google", options{header: http.Header{"Metadata-Flavor": {"Google"}}}},
		{"header=A:%201%262%20", options{header: http.Header{"A": {"1&2"}}}},
		{"header=A:1&header=a:2&header=B:", options{header: http.Header{"A": {"1", "2"}, "B": {""}}}},
	} {
		u := &url.URL{Scheme: "https"}
		if err := u.UnmarshalBinary([]byte("https://db/#" + test.fragment)); err != nil {
			t.Fatal(err)
		}
		got, err := parseOptions(u, schemes["https"].options)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, %v", test.fragment, got, err)
		}
	}
}

// FuzzParse parses any text, and URLs with a secret in every place for credentials.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "istio", "none", "istio,none", "http://localhost:8080/up", "https://u:p@db:443/?a=b#status=200-299&header=A:b&insecure",
		"http://[::1%25lo]:80/", "://", "http://a:b:c", "http://%", "http://db/#&&", "http://a@b@c/", "redis://db:6379", "http://db#header=%3a", ",",
	} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, s, odd string) {
		if strings.Contains(s, "ca") {
			return // may name any file, which Parse would read
		}
		if target, err := Parse(s); err == nil {
			zone := strings.Contains(s, "%25") // the zone of an IPv6 address, which Name shows without its escape
			if again, err := Parse(target.Name); !zone && (err != nil || again.Name != target.Name) {
				t.Errorf("%q is called %q, which is called %q, %v", s, target.Name, again.Name, err)
			}
		} else if err.Error() == "" || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' && r != '\n' }) {
			t.Errorf("%q: %q", s, err)
		}
		const secret = "s3cRet"
		escaped := strings.ReplaceAll(url.PathEscape(odd+secret), "&", "%26")
		hidden := url.URL{
			Scheme: "http", User: url.UserPassword(secret+odd, odd+secret), Host: "db:80", Path: "/up",
			RawQuery: url.Values{odd: {secret}, secret: {odd}}.Encode(),
		}
		for _, s := range []string{
			hidden.String() + "#header=A:" + escaped,
			hidden.String() + "#nonsense&header=A:" + escaped,
			hidden.String() + "#heder=A:" + escaped,
			hidden.String() + "#header=A:b&" + secret,
		} {
			target, err := Parse(s)
			if strings.Contains(target.Name, secret) || err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %q, %v", s, target.Name, err)
			}
		}
	})
}
