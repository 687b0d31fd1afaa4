package wait

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/startgate/startgate/wait/nearest"
)

// form returns how the URLs of this scheme, which is called name, are written.
func (s scheme) form(name string) string {
	switch {
	case name == "unix":
		return "unix:///PATH, or unix://@NAME for an abstract socket"
	case name == "dns":
		return "dns:///NAME"
	case s.path:
		return name + ":///PATH"
	case s.port == "":
		return name + "://HOST:PORT"
	}
	return name + "://HOST"
}

// target makes a target from a URL of this scheme.
func (s scheme) target(u *url.URL) (Target, error) {
	endpoint, err := s.endpoint(u)
	if err != nil {
		return Target{}, err
	}
	options, err := parseOptions(u, s.options)
	if err != nil {
		return Target{}, err
	}
	target := Target{Name: redact(u), Prober: s.prober(u, endpoint, options)}
	if endpoint.isLocal() {
		target.Knock = []Prober{knock{endpoint}}
	}
	return target, nil
}

// withoutZone returns u as its server may see it: the zone of an IPv6 address has a meaning
// on this machine only (RFC 6874, section 4), and no certificate has one.
func withoutZone(u *url.URL) *url.URL {
	before, zone, _ := strings.Cut(u.Host, "%")
	_, after, ok := strings.Cut(zone, "]")
	if !ok {
		return u
	}
	sent := *u
	sent.Host = before + "]" + after
	return &sent
}

// endpoint returns the endpoint of a URL of this scheme.
func (s scheme) endpoint(u *url.URL) (*endpoint, error) {
	switch {
	case u.Scheme == "dns":
		return nameEndpoint(u)
	case s.path:
		return s.pathEndpoint(u)
	}
	port := cmp.Or(u.Port(), s.port)
	switch {
	case strings.Contains(u.EscapedPath()+u.RawQuery, "@"): // what precedes it may be a password
		return nil, errors.New("it has an @ after its host: in a password / is written %2F and ? is %3F, elsewhere @ is %40")
	case u.Hostname() == "":
		return nil, errors.New("it has no host: write " + s.form(u.Scheme))
	case !isHost(u.Hostname()):
		return nil, errNotHost
	case port == "":
		return nil, errors.New("it has no port: write " + s.form(u.Scheme))
	case !isPort(port):
		return nil, errors.New("its port is not between 1 and 65535")
	}
	return newEndpoint(u.Hostname(), port), nil
}

// pathEndpoint returns the endpoint of a URL that names a file, or an abstract Unix socket.
func (s scheme) pathEndpoint(u *url.URL) (*endpoint, error) {
	path := u.Path
	switch {
	case u.Scheme == "unix" && u.User != nil && u.User.String() == "" && u.Host+path != "":
		path = "@" + u.Host + path // as package net takes it
	case u.User != nil || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/"):
		return nil, errors.New("it has no absolute path: write " + s.form(u.Scheme))
	}
	if u.Scheme == "unix" && len(path) > maxSocketPath {
		return nil, fmt.Errorf("its path has %d bytes, and that of a Unix socket has at most %d", len(path), maxSocketPath)
	}
	return &endpoint{path: &fileStat{path: path}}, nil
}

// nameEndpoint returns an endpoint without a port, for a URL whose path is the name of a host.
func nameEndpoint(u *url.URL) (*endpoint, error) {
	name := strings.TrimPrefix(u.Path, "/")
	switch _, err := netip.ParseAddr(name); {
	case u.User != nil || u.Host != "" || u.RawQuery != "" || name == "":
		return nil, errors.New("it is not a name alone: write dns:///NAME, which the system's resolver is asked for")
	case err == nil:
		return nil, errors.New("it has an address, which needs no resolver: write dns:///NAME")
	case !isHost(name):
		return nil, errNotHost
	}
	return &endpoint{host: name}, nil
}

// maxSocketPath is the longest path that connect(2) takes (unix(7)).
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

var errNotHost = errors.New("its host has a character that no host name has: write a name with letters beyond ASCII in its xn-- form")

// isHost reports whether host is an IP address or has the characters of a host name only,
// and of those names with _ that some resolvers know.
func isHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// schemeAliases holds other names of schemes, and schemes whose protocol begins as that of
// another.
var schemeAliases = map[string]string{
	"postgresql": "postgres", "mariadb": "mysql", "valkey": "redis", "valkeys": "rediss", "h2c": "grpc",
	"ws": "http", "wss": "https", "elasticsearch": "http", "opensearch": "http",
	"mongo": "mongodb", "rabbitmq": "amqp", "memcache": "memcached",
}

// otherProtocols holds schemes that look like a misspelled one, and are none.
var otherProtocols = []string{"mssql", "rtsp"}

func unknownScheme(name string) error {
	if alias := schemeAliases[name]; alias != "" {
		return fmt.Errorf("unknown scheme: write %s://", alias)
	}
	switch name {
	case "jdbc":
		return errors.New("remove jdbc: before its scheme")
	case "mongodb+srv":
		return errors.New("unknown scheme: SRV records are not looked up, write mongodb:// and the host of one server")
	}
	known := slices.Sorted(maps.Keys(schemes))
	if near := nearest.To(name, known); near != "" && !slices.Contains(otherProtocols, name) {
		return fmt.Errorf("unknown scheme: did you mean %s://?", near)
	}
	return fmt.Errorf("unknown scheme: startgate does not speak this protocol. Write tcp://HOST:PORT, which is ready when a connection is accepted; "+
		"in a mesh the proxy accepts it, whether or not the server is there. It speaks %s", strings.Join(known, ", "))
}

// urlReason returns what is wrong with a URL that url.Parse rejects, without quoting it.
func urlReason(err error) error {
	var parse *url.Error
	if errors.As(err, &parse) {
		err = parse.Err
	}
	switch text := err.Error(); {
	case strings.HasPrefix(text, "invalid port"):
		return errors.New("its port is not a number, or its password has a character that must be percent-encoded (/ is %2F, ? is %3F, # is %23)")
	case strings.Contains(text, "control character"):
		return errors.New("it has a line break or another control character")
	}
	return errors.New("it is not a URL, or it has a character that must be percent-encoded (% itself is %25)")
}
