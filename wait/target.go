package wait

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/startgate/startgate/wait/nearest"
)

// Target is something to wait for. Only Prober is needed.
type Target struct {
	Name    string   // of the sidecar, or the URL without credentials
	Prober  Prober   // tells whether it is ready
	Knock   []Prober // where to knock during a pause: in this order, Refused means that nobody is there
	Sidecar *Sidecar // when it was given by name

	own int // how many of Knock are where Prober asks
}

// scheme is how the targets of one URL scheme are made.
type scheme struct {
	port    string   // the default port; without one the URL must have it
	path    bool     // it names a file of this machine, not a host
	options []string // what its fragment may hold
	prober  func(*url.URL, *endpoint, options) Prober
}

// schemes is the one table of URL schemes.
var schemes = map[string]scheme{
	"http":     {port: "80", options: []string{"status", "header", "body"}, prober: newHTTP},
	"https":    {port: "443", options: []string{"status", "header", "body", "ca", "insecure"}, prober: newHTTP},
	"tcp":      {prober: newTCP},
	"unix":     {path: true, prober: newTCP},
	"redis":    {port: "6379", prober: newRedis},
	"rediss":   {port: "6379", options: []string{"ca", "insecure"}, prober: newRedis},
	"postgres": {port: "5432", prober: newPostgres},
	"mysql":    {port: "3306", prober: newMySQL},
	"grpc":     {prober: newGRPC},
	"grpcs":    {options: []string{"ca", "insecure"}, prober: newGRPC},
	"file":     {path: true, prober: newFile},
}

// Parse makes a target of the name of a sidecar (see [Sidecars]) or a URL.
//
//	istio                     the sidecar of that name is ready
//	http://HOST[:80]/PATH     GET answers 200 (also https)
//	tcp://HOST:PORT           a connection is accepted
//	unix:///PATH              a connection is accepted
//	redis://HOST[:6379]       PING is answered (also rediss, with TLS)
//	postgres://HOST[:5432]    a startup message is answered, by PQping's rule
//	mysql://HOST[:3306]       the server sends its greeting
//	grpc://HOST:PORT/SERVICE  grpc.health.v1 says SERVING (also grpcs)
//	file:///PATH              the file exists and is not empty
//
// The fragment, which is never sent, has options joined by "&", their values
// percent-encoded. For http and https: status=N or status=N-M (may be repeated),
// header=Name:value, and body=TEXT, which an accepted answer's body must be. For
// https, rediss and grpcs: ca=/PATH, a file of PEM certificates to trust instead
// of the system's, which is read now, and insecure, to trust any.
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
	if err == errNotFragment || err == errNotPath {
		return Target{}, fmt.Errorf("cannot use target %q: %w", redactText(s), err)
	}
	if err != nil {
		return Target{}, fmt.Errorf("cannot use target %q: %w", redact(u), err)
	}
	return target, nil
}

// ParseList makes targets of a comma-separated list. A comma inside a URL is
// written %2C. "none" is the list of no targets.
func ParseList(s string) ([]Target, error) {
	if strings.TrimSpace(s) == "none" {
		return nil, nil
	}
	return parseList(s, Parse)
}

// errRest is what follows a URL in a list and is nothing: perhaps what stood after a
// comma in a password, a query or a header, and so not shown.
var errRest = errors.New("cannot use what follows a URL and a comma: it is no target; a comma inside a URL is written %2C")

// parseList makes targets of a comma-separated list, each by parse.
func parseList(s string, parse func(string) (Target, error)) ([]Target, error) {
	var (
		targets  []Target
		errs     []error
		afterURL bool
	)
	for item := range strings.SplitSeq(s, ",") {
		target, err := parse(item)
		if afterURL && errors.As(err, new(strangeName)) {
			err = errRest
		}
		afterURL = afterURL || strings.Contains(item, "://")
		targets = append(targets, target)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return targets, nil
}

// sidecarNamed returns a sidecar of the table, or nil.
func sidecarNamed(name string) *Sidecar {
	i := slices.IndexFunc(sidecars, func(s Sidecar) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	sidecar := sidecars[i]
	return &sidecar
}

func parseName(name string) (Target, error) {
	sidecar := sidecarNamed(name)
	if sidecar == nil {
		return Target{}, unknownTarget(name)
	}
	if len(sidecar.Ready) == 0 {
		return Target{}, fmt.Errorf("cannot wait for %s: %s", name, sidecar.Note)
	}
	target := Target{Name: name, Sidecar: sidecar}
	var places inTurn
	for _, ready := range sidecar.Ready {
		place, err := Parse(ready)
		if err != nil {
			return Target{}, err
		}
		places = append(places, place.Prober)
		target.Knock = append(target.Knock, place.Knock...)
	}
	target.own = len(target.Knock)
	if host, port, ok := strings.Cut(sidecar.Knock, ":"); ok {
		target.Knock = append(target.Knock, knock{newEndpoint(host, port)})
	}
	target.Prober = places
	return target, nil
}

// inTurn is a [Prober] of the first place that does not refuse.
type inTurn []Prober

func (places inTurn) Probe(ctx context.Context) (answer Answer) {
	for i, place := range places {
		next := place.Probe(ctx)
		if i == 0 || next.Outcome != Refused {
			answer = next
		}
		if next.Outcome != Refused {
			break
		}
	}
	return answer
}

func unknownTarget(name string) error {
	var names []string
	for _, sidecar := range sidecars {
		if len(sidecar.Ready) > 0 {
			names = append(names, sidecar.Name)
		}
	}
	switch near := nearest.To(name, append(names, "none")); {
	case name == "":
		return errors.New("cannot use an empty target: take away the comma too many, or write none to wait for nothing")
	case strings.Contains(name, "@"):
		return fmt.Errorf("cannot use target %q: write its scheme too, as in http://; a comma in a password is %%2C", redactText(name))
	case near == "none":
		return errors.New(`cannot use target "none": it stands alone, to wait for nothing`)
	}
	return unknownSidecar(name, names, "http://localhost:8080/healthz")
}

// unknownSidecar is an error that says what to write instead.
func unknownSidecar(name string, names []string, url string) error {
	if near := nearest.To(name, names); near != "" {
		return fmt.Errorf("unknown sidecar %q: did you mean %s?", name, near)
	}
	return strangeName{fmt.Errorf("unknown sidecar %q: write one of %s, or a URL such as %s", name, strings.Join(names, ", "), url)}
}

// strangeName is the error of a name that is not near to any.
type strangeName struct{ error }

func parseURL(u *url.URL) (Target, error) {
	scheme, ok := schemes[u.Scheme]
	if !ok {
		return Target{}, unknownScheme(u.Scheme)
	}
	options, err := parseOptions(u, scheme.options)
	if err != nil {
		return Target{}, err
	}
	endpoint, err := scheme.endpoint(u)
	if err != nil {
		return Target{}, err
	}
	target := Target{Name: redact(u), Prober: scheme.prober(u, endpoint, options)}
	if endpoint.isLocal() {
		target.Knock, target.own = []Prober{knock{endpoint}}, 1
	}
	return target, nil
}

// errNotPath says that what looks like a path may be the end of a password.
var errNotPath = errors.New("a / in a password must be written %2F, and an @ in a path %40")

// endpoint returns where a target of this scheme listens.
func (s scheme) endpoint(u *url.URL) (*endpoint, error) {
	if s.path {
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasSuffix(u.Path, "/") {
			return nil, fmt.Errorf("it has no absolute path: write %s:///PATH", u.Scheme)
		}
		return &endpoint{network: u.Scheme, addrs: []string{u.Path}}, nil
	}
	port := cmp.Or(u.Port(), s.port)
	switch {
	case strings.Contains(u.EscapedPath(), "@"):
		return nil, errNotPath
	case u.Hostname() == "":
		return nil, fmt.Errorf("it has no host: write %s://HOST:%s", u.Scheme, cmp.Or(port, "PORT"))
	case port == "":
		return nil, fmt.Errorf("it has no port: write %s://%s:PORT", u.Scheme, u.Host)
	case !isPort(port):
		return nil, errors.New("its port is not between 1 and 65535")
	}
	return newEndpoint(u.Hostname(), port), nil
}

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

// schemesMeant are other names of schemes.
var schemesMeant = map[string]string{
	"postgresql": "postgres", "mariadb": "mysql", "valkey": "redis", "valkeys": "rediss", "h2c": "grpc",
}

func unknownScheme(name string) error {
	if meant := schemesMeant[name]; meant != "" {
		return fmt.Errorf("unknown scheme %q: write %s://", name, meant)
	}
	known := slices.Sorted(maps.Keys(schemes))
	if near := nearest.To(name, known); near != "" {
		return fmt.Errorf("unknown scheme %q: did you mean %s://?", name, near)
	}
	return fmt.Errorf("unknown scheme %q: write one of %s", name, strings.Join(known, ", "))
}
