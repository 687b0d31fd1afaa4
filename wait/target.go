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
	"syscall"

	"github.com/startgate/startgate/wait/nearest"
)

// Target is something to wait for. Only Prober is required.
//
// Knock and EarlyKnock make a wait notice early that the target has started: see [For].
// Their probers should only connect. An answer of Refused means that nothing listens;
// any other answer means that something does.
type Target struct {
	Name       string   // the sidecar's name, or the URL without credentials
	Prober     Prober   // finds out whether it is ready
	Knock      []Prober // the ports that Prober sends requests to
	EarlyKnock []Prober // ports of the same sidecar that refuse until shortly before it is ready
	Sidecar    *Sidecar // nil if the target was not given by a sidecar's name
}

// ports returns where to knock, in this order.
func (t Target) ports() []Prober { return slices.Concat(t.Knock, t.EarlyKnock) }

// Listens reports whether anything listens on a port of t, ready or not. A port that does
// not answer before ctx ends counts as one with a listener.
func (t Target) Listens(ctx context.Context) bool {
	return slices.ContainsFunc(t.ports(), func(port Prober) bool { return port.Probe(ctx).Outcome != Refused })
}

// Held reports whether a system call of an earlier probe has not returned, because a file
// system does not answer. The kernel may then also hold up the end of this process, and
// execve(2), until the file system answers.
func (t Target) Held() bool {
	prober, ok := t.Prober.(interface{ isHeld() bool })
	return ok && prober.isHeld()
}

// scheme describes the URLs of one scheme.
type scheme struct {
	port    string   // the default port; if empty, the URL must have one
	path    bool     // whether the URL names a file of this machine, not a host
	options []string // the options allowed in the fragment
	prober  func(*url.URL, *endpoint, options) Prober
}

// schemes holds all URL schemes.
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
	"file":     {path: true, options: []string{"empty"}, prober: newFile},
}

// Parse makes a target from the name of a sidecar (see [Sidecars]) or from a URL. This is
// when the target is ready:
//
//	istio                     the sidecar of that name is ready
//	http://HOST[:80]/PATH     GET is answered with status 200 (also https)
//	tcp://HOST:PORT           a connection is accepted
//	unix:///PATH              a connection is accepted
//	redis://HOST[:6379]       PING gets a reply (also rediss, with TLS)
//	postgres://HOST[:5432]    a startup message gets a reply that PQping accepts
//	mysql://HOST[:3306]       the server sends its greeting
//	grpc://HOST:PORT/SERVICE  grpc.health.v1 says SERVING (also grpcs, with TLS)
//	file:///PATH              the file exists and is not empty
//
// The fragment holds options, joined by "&", with percent-encoded values. It is never sent.
// Options of http and https:
//
//	status=N or status=N-M    the statuses to accept instead of 200; may be repeated
//	header=Name:value         a header to send; may be repeated
//	body=TEXT                 the body that an accepted answer must have
//
// Options of https, rediss and grpcs:
//
//	ca=/PATH                  a file of PEM certificates to trust instead of the system's;
//	                          Parse reads it
//	insecure                  trust any certificate
//
// The option of file:
//
//	empty                     the file may be empty
//
// The host localhost means 127.0.0.1 and ::1. User information in the URL is accepted but
// never sent. Errors say what to write instead and hold no credentials.
func Parse(s string) (Target, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "://") {
		return parseName(s)
	}
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, fmt.Errorf("cannot use target %q: %w", redactText(s), urlReason(err))
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

// ParseList makes targets from a comma-separated list of what [Parse] accepts. A comma
// inside a URL is written %2C. The list "none" has no targets; an empty one is an error.
// The error joins the errors of all items.
func ParseList(s string) ([]Target, error) {
	if strings.TrimSpace(s) == "none" {
		return nil, nil
	}
	return parseList(s, Parse)
}

// errAfterComma is for an item of a list that is no target and follows a URL. It may be the
// part after a comma in a password, a query or a header, so it is not shown.
var errAfterComma = errors.New("cannot use what follows a URL and a comma: it is no target; a comma inside a URL is written %2C")

// parseList makes targets from a comma-separated list, each with parse.
func parseList(s string, parse func(string) (Target, error)) ([]Target, error) {
	var (
		targets  []Target
		errs     []error
		afterURL bool
	)
	for item := range strings.SplitSeq(s, ",") {
		target, err := parse(item)
		if afterURL && errors.As(err, new(unknownNameError)) {
			err = errAfterComma
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
	var probers firstReachable
	for _, ready := range sidecar.Ready {
		parsed, err := Parse(ready)
		if err != nil {
			return Target{}, err
		}
		probers = append(probers, parsed.Prober)
		target.Knock = append(parsed.Knock, target.Knock...) // the last one first: those before it may not exist
	}
	if host, port, ok := strings.Cut(sidecar.EarlyKnock, ":"); ok {
		target.EarlyKnock = []Prober{knock{newEndpoint(host, port)}}
	}
	target.Prober = probers
	return target, nil
}

// firstReachable is a [Prober] that returns the answer of the first prober that is not
// refused, or that of the first one if all are.
type firstReachable []Prober

// Probe implements [Prober].
func (probers firstReachable) Probe(ctx context.Context) Answer {
	first := probers[0].Probe(ctx)
	answer := first
	for i := 1; answer.Outcome == Refused && i < len(probers); i++ {
		answer = probers[i].Probe(ctx)
	}
	if answer.Outcome == Refused {
		return first
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
		return errors.New("empty entry: remove the extra comma, or write none to wait for nothing")
	case strings.Contains(name, "@"):
		return fmt.Errorf("cannot use target %q: write its scheme too, as in http://; a comma in a password is %%2C", redactText(name))
	case near == "none":
		return errors.New(`cannot use target "none": it stands alone, to wait for nothing`)
	}
	return unknownSidecar(name, names, "http://localhost:8080/healthz")
}

// unknownSidecar returns the error for a name that is not in names.
func unknownSidecar(name string, names []string, url string) error {
	if near := nearest.To(name, names); near != "" {
		return fmt.Errorf("unknown sidecar %q: did you mean %s?", name, near)
	}
	return unknownNameError{fmt.Errorf("unknown sidecar %q: write one of %s, or a URL such as %s", name, strings.Join(names, ", "), url)}
}

// unknownNameError is the error for a name that is similar to no known one.
type unknownNameError struct{ error }

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
		target.Knock = []Prober{knock{endpoint}}
	}
	return target, nil
}

// errNotPath is for a URL whose path may in fact be the end of a password.
var errNotPath = errors.New("a / in a password must be written %2F, and an @ in a path %40")

// endpoint returns the endpoint of a URL of this scheme.
func (s scheme) endpoint(u *url.URL) (*endpoint, error) {
	if s.path {
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasSuffix(u.Path, "/") {
			return nil, fmt.Errorf("it has no absolute path: write %s:///PATH", u.Scheme)
		}
		if u.Scheme == "unix" && len(u.Path) > maxSocketPath {
			return nil, fmt.Errorf("its path has %d bytes, and that of a Unix socket has at most %d", len(u.Path), maxSocketPath)
		}
		return &endpoint{path: &fileStat{path: u.Path}}, nil
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

// maxSocketPath is the longest path that connect(2) takes (unix(7)).
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

// schemeAliases holds other names of schemes.
var schemeAliases = map[string]string{
	"postgresql": "postgres", "mariadb": "mysql", "valkey": "redis", "valkeys": "rediss", "h2c": "grpc",
}

func unknownScheme(name string) error {
	if alias := schemeAliases[name]; alias != "" {
		return fmt.Errorf("unknown scheme %q: write %s://", name, alias)
	}
	known := slices.Sorted(maps.Keys(schemes))
	if near := nearest.To(name, known); near != "" {
		return fmt.Errorf("unknown scheme %q: did you mean %s://?", name, near)
	}
	return fmt.Errorf("unknown scheme %q: write one of %s", name, strings.Join(known, ", "))
}
