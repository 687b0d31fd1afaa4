package wait

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/startgate/startgate/wait/nearest"
)

// Target is something to wait for. Only Prober is needed.
type Target struct {
	Name    string   // of the sidecar, or the URL without credentials
	Prober  Prober   // tells whether it is ready
	Knock   []Prober // where to knock during a pause: in this order, Refused means that nobody is there
	Sidecar *Sidecar // when it was given by name
}

// scheme is how the targets of one URL scheme are made.
type scheme struct {
	port    string   // the default port; without one the URL must have it
	options []string // what its fragment may hold
	prober  func(*url.URL, *endpoint, options) Prober
}

// schemes is the one table of URL schemes.
var schemes = map[string]scheme{
	"http":  {port: "80", options: []string{"status", "header"}, prober: newHTTP},
	"https": {port: "443", options: []string{"status", "header", "ca", "insecure"}, prober: newHTTP},
}

// Parse makes a target of the name of a sidecar (see [Sidecars]) or a URL.
//
//	istio                                      a sidecar by name
//	http://localhost:8080/healthz              GET answers 200
//	https://db:8443/up#status=200-299&ca=/ca   any 2xx, checked with the CA in /ca
//
// The fragment, which is never sent, has options joined by "&", their values
// percent-encoded: status=N or status=N-M (may be repeated), header=Name:value,
// and for https ca=/path, a file of PEM certificates to trust instead of the
// system's, which is read now, and insecure, to trust any.
//
// The name localhost means 127.0.0.1 and ::1. User information is accepted and
// never sent. Errors say what to write instead and hold no credentials.
func Parse(s string) (Target, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "://") {
		return parseName(s)
	}
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, fmt.Errorf("cannot use target %q: %w", redactText(s), urlFault(err))
	}
	target, err := parseURL(u)
	if err != nil {
		return Target{}, fmt.Errorf("cannot use target %q: %w", redactText(s), err)
	}
	return target, nil
}

// ParseList makes targets of a comma-separated list. A comma inside a URL is
// written %2C. "none" is the list of no targets.
func ParseList(s string) ([]Target, error) {
	if strings.TrimSpace(s) == "none" {
		return nil, nil
	}
	var (
		targets []Target
		errs    []error
	)
	for item := range strings.SplitSeq(s, ",") {
		target, err := Parse(item)
		targets = append(targets, target)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return targets, nil
}

func parseName(name string) (Target, error) {
	i := slices.IndexFunc(sidecars, func(s Sidecar) bool { return s.Name == name })
	if i < 0 {
		return Target{}, unknownName(name)
	}
	sidecar := sidecars[i]
	target, err := Parse(sidecar.Ready)
	if err != nil {
		return Target{}, err
	}
	target.Name, target.Sidecar = sidecar.Name, &sidecar
	if host, port, ok := strings.Cut(sidecar.Knock, ":"); ok {
		target.Knock = append(target.Knock, knock{newEndpoint(host, port)})
	}
	return target, nil
}

func unknownName(name string) error {
	names := make([]string, 0, len(sidecars)+1)
	for _, sidecar := range sidecars {
		names = append(names, sidecar.Name)
	}
	switch near := nearest.To(name, append(names, "none")); {
	case name == "":
		return errors.New("cannot use an empty target: take away the comma too many, or write none to wait for nothing")
	case near == "none":
		return errors.New(`cannot use target "none": it stands alone, to wait for nothing`)
	case near != "":
		return fmt.Errorf("unknown sidecar %q: did you mean %s?", name, near)
	}
	return fmt.Errorf("unknown sidecar %q: write one of %s, or a URL such as http://localhost:8080/healthz",
		name, strings.Join(names, ", "))
}

func parseURL(u *url.URL) (Target, error) {
	scheme, ok := schemes[u.Scheme]
	if !ok {
		return Target{}, unknownScheme(u.Scheme)
	}
	port := u.Port()
	if port == "" {
		port = scheme.port
	}
	switch {
	case u.Hostname() == "":
		return Target{}, fmt.Errorf("it has no host: write %s://HOST:%s", u.Scheme, orPort(port))
	case port == "":
		return Target{}, fmt.Errorf("it has no port: write %s://%s:PORT", u.Scheme, u.Hostname())
	case strings.Contains(u.Fragment, "@") && u.User == nil:
		return Target{}, errors.New("a # or / in a password must be written %23 or %2F")
	}
	options, err := parseOptions(u, scheme.options)
	if err != nil {
		return Target{}, err
	}
	endpoint := newEndpoint(u.Hostname(), port)
	target := Target{Name: redact(u), Prober: scheme.prober(u, endpoint, options)}
	if endpoint.isLocal() {
		target.Knock = []Prober{knock{endpoint}}
	}
	return target, nil
}

func orPort(port string) string {
	if port == "" {
		return "PORT"
	}
	return port
}

func unknownScheme(name string) error {
	known := slices.Sorted(maps.Keys(schemes))
	if near := nearest.To(name, known); near != "" {
		return fmt.Errorf("unknown scheme %q: did you mean %s://?", name, near)
	}
	return fmt.Errorf("unknown scheme %q: write one of %s", name, strings.Join(known, ", "))
}
