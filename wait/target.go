package wait

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
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
	"http":      {port: "80", options: []string{"status", "header", "body", "contains", "json"}, prober: newHTTP},
	"https":     {port: "443", options: []string{"status", "header", "body", "contains", "json", "ca", "insecure"}, prober: newHTTP},
	"tcp":       {prober: newTCP},
	"unix":      {path: true, prober: newTCP},
	"redis":     {port: "6379", prober: newRedis},
	"rediss":    {port: "6379", options: []string{"ca", "insecure"}, prober: newRedis},
	"postgres":  {port: "5432", prober: newPostgres},
	"mysql":     {port: "3306", prober: newMySQL},
	"mongodb":   {port: "27017", prober: newMongoDB},
	"kafka":     {port: "9092", prober: newKafka},
	"kafkas":    {port: "9092", options: []string{"ca", "insecure"}, prober: newKafka},
	"amqp":      {port: "5672", prober: newAMQP},
	"amqps":     {port: "5671", options: []string{"ca", "insecure"}, prober: newAMQP},
	"nats":      {port: "4222", prober: newNATS},
	"memcached": {port: "11211", prober: newMemcached},
	"grpc":      {options: []string{"status"}, prober: newGRPC},
	"grpcs":     {options: []string{"status", "ca", "insecure"}, prober: newGRPC},
	"dns":       {prober: newDNS},
	"file":      {path: true, options: []string{"empty"}, prober: newFile},
}

// Parse makes a target from the name of a sidecar (see [Sidecars]) or from a URL. This is
// when the target is ready:
//
//	istio                     the sidecar of that name, in any case, is ready
//	http://HOST[:80]/PATH     GET is answered with status 200 (also https)
//	tcp://HOST:PORT           a connection is accepted
//	unix:///PATH              a connection is accepted
//	unix://@NAME              the same, of an abstract Unix socket (unix(7))
//	redis://HOST[:6379]       PING gets a reply (also rediss, with TLS)
//	postgres://HOST[:5432]    a startup message gets a reply that PQping accepts
//	mysql://HOST[:3306]       the server sends its greeting
//	mongodb://HOST[:27017]    hello is answered by a primary, a secondary, a mongos or a
//	                          server that is in no replica set
//	kafka://HOST[:9092]       ApiVersions gets a response (also kafkas, with TLS)
//	amqp://HOST[:5672]        the broker sends Connection.Start (also amqps, with TLS; 5671)
//	nats://HOST[:4222]        the server sends INFO
//	memcached://HOST[:11211]  the server says its version
//	grpc://HOST:PORT/SERVICE  grpc.health.v1 says SERVING (also grpcs, with TLS)
//	dns:///NAME               the system's resolver gives an address
//	file:///PATH              the file exists and is not empty
//
// The fragment holds options, joined by "&", with percent-encoded values. It is never sent.
// Options of http and https:
//
//	status=N or status=N-M    the statuses to accept instead of 200; may be repeated
//	header=Name:value         a header to send; may be repeated
//	body=TEXT                 the body that an accepted answer must have
//	contains=TEXT             a text that it must contain; may be repeated
//	json=/POINTER=VALUE       a value that it must have (RFC 6901): a string, a number, true,
//	                          false or null; may be repeated
//
// The option of grpc and grpcs:
//
//	status=NAME or status=N   a gRPC status, such as UNIMPLEMENTED or 12, to accept beside
//	                          SERVING; may be repeated
//
// Options of https, rediss, kafkas, amqps and grpcs:
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
// never sent. Errors say what is wrong and what to write instead. They show nothing of s,
// because s may hold credentials.
func Parse(s string) (Target, error) {
	target, err := parse(s)
	if err != nil {
		return Target{}, fmt.Errorf("cannot use target: %w", err)
	}
	return target, nil
}

// ParseList makes targets from a comma-separated list of what [Parse] accepts. A comma
// inside a URL is written %2C. The list "none", in any case, has no targets; an empty one is an error.
// The error joins the errors of all items, each with its place in the list.
func ParseList(s string) ([]Target, error) {
	if strings.EqualFold(strings.TrimSpace(s), none) {
		return nil, nil
	}
	return parseList(s, parse)
}

// parseList makes targets from a comma-separated list, each with parse.
func parseList(s string, parse func(string) (Target, error)) ([]Target, error) {
	var (
		targets []Target
		errs    []error
	)
	items := strings.Split(s, ",")
	for i, item := range items {
		target, err := parse(item)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot use %s: %w", place(i, len(items)), err))
		}
		targets = append(targets, target)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return targets, nil
}

// place returns what the item with index i of a list of n items is called.
func place(i, n int) string {
	if n == 1 {
		return "target"
	}
	i++
	suffix := "th"
	if last := i % 10; last <= 3 && i/10%10 != 1 {
		suffix = [...]string{"th", "st", "nd", "rd"}[last]
	}
	return fmt.Sprintf("the %d%s item", i, suffix)
}

// parse is Parse, with an error that says only what is wrong.
func parse(s string) (Target, error) {
	s = strings.TrimSpace(s)
	if err := notOne(s); err != nil {
		return Target{}, err
	}
	if !strings.Contains(s, "://") {
		return parseName(s)
	}
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, urlReason(err)
	}
	scheme, ok := schemes[u.Scheme]
	if !ok {
		return Target{}, unknownScheme(u.Scheme)
	}
	return scheme.target(u)
}

// sidecarNamed returns the sidecar of this name, in any case, or nil.
func sidecarNamed(name string) *Sidecar {
	i := slices.IndexFunc(sidecars, func(s Sidecar) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return nil
	}
	sidecar := sidecars[i].clone()
	return &sidecar
}

func parseName(name string) (Target, error) {
	sidecar := sidecarNamed(name)
	if sidecar == nil {
		return Target{}, unknownTarget(name)
	}
	if len(sidecar.Ready) == 0 {
		return Target{}, sidecar.onlyQuits()
	}
	target := Target{Name: sidecar.Name, Sidecar: sidecar}
	var probers firstReachable
	for _, ready := range sidecar.Ready {
		parsed, err := parse(ready)
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
	switch strings.ToLower(name) {
	case "":
		return errors.New("it is empty: remove the extra comma, or write none to wait for nothing")
	case none:
		return errors.New("none stands alone, to wait for nothing")
	}
	return vocabulary{names: append(names, none), example: "http://localhost:8080/healthz"}.unknown(name)
}
