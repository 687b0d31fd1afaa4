package wait

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/startgate/startgate/wait/nearest"
)

// vocabulary is what may be written in a place, and says what to write instead of what is
// neither. Its answers come from tables: they show nothing of what was written.
type vocabulary struct {
	names   []string // the words
	example string   // a URL
	quit    bool     // for a shutdown request, which is an http URL of this machine
}

// unknown returns the error for what is neither one of the names nor a URL.
func (v vocabulary) unknown(name string) error {
	bare := strings.ToLower(strings.TrimRight(name, "/"))
	if meant := v.meant(bare); meant != "" {
		if s := sidecarNamed(meant); s != nil && !slices.Contains(v.names, meant) {
			return s.onlyQuits()
		}
		return fmt.Errorf("unknown name: did you mean %s?", meant)
	}
	if form := v.form(name); form != "" {
		return fmt.Errorf("it has no scheme: write %s", form)
	}
	word := strings.FieldsFunc(bare+":", func(r rune) bool { return r == ':' || r == '/' })
	if len(word) > 0 && !v.quit {
		if scheme, ok := schemes[word[0]]; ok {
			return fmt.Errorf("it has no :// after its scheme: write %s", scheme.form(word[0]))
		}
	}
	return fmt.Errorf("it is neither a known name nor a URL: write one of %s, or a URL such as %s; a comma in a URL is %%2C",
		strings.Join(v.names, ", "), v.example)
}

// meant returns the name that was probably meant, or nothing.
func (v vocabulary) meant(word string) string {
	if slices.Contains(nothing, word) && slices.Contains(v.names, none) {
		return none
	}
	for _, s := range sidecars {
		if slices.Contains(s.Containers, strings.ReplaceAll(word, "_", "-")) {
			return s.Name
		}
	}
	if name := v.byPort(word); name != "" {
		return name
	}
	if word == "envoy" { // it has no port that all of them use
		return "istio, consul or kuma, whose proxies are Envoys"
	}
	return nearest.To(word, v.names)
}

// byPort returns the sidecar that has this port of this machine, if there is only one.
func (v vocabulary) byPort(hostPort string) (name string) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil || !isLoopback(host) && sidecarNamed(host) == nil {
		return ""
	}
	for _, s := range sidecars {
		if !slices.Contains(v.names, s.Name) || !slices.Contains(s.ports(), port) {
			continue
		}
		if name != "" {
			return ""
		}
		name = s.Name
	}
	return name
}

func (s Sidecar) onlyQuits() error { return fmt.Errorf("%s can only be shut down. %s", s.Name, s.Note) }

// ports returns the ports of the sidecar.
func (s Sidecar) ports() (ports []string) {
	for _, text := range append([]string{s.Quit, "tcp://" + s.EarlyKnock}, s.Ready...) {
		if u, err := url.Parse(text); err == nil {
			ports = append(ports, u.Port())
		}
	}
	return ports
}

// form returns how a host or a path is written as a URL, or nothing if name is neither.
func (v vocabulary) form(name string) string {
	before, path, hasPath := strings.Cut(name, "/")
	host, port, err := net.SplitHostPort(before)
	switch hasPort := err == nil && isHost(host) && isPort(port); {
	case v.quit && (hasPort || isLoopback(before)):
		return "http://localhost:PORT/PATH"
	case v.quit:
		return ""
	case hasPath && slices.Contains([]string{"", ".", "..", "~"}, before):
		return "file:///PATH, with the absolute path of a file"
	case hasPath && path != "" && (hasPort || isLoopback(before)):
		return "http://HOST:PORT/PATH"
	case hasPort:
		return formOfPort(port)
	case isLoopback(before) || isAddress(before) || isHost(before) && strings.Contains(before, ".") && !hasPath:
		return schemes["tcp"].form("tcp")
	}
	return ""
}

// formOfPort returns the form of the scheme whose default port this is, or of tcp.
func formOfPort(port string) string {
	for _, name := range []string{"http", "https", "redis", "postgres", "mysql", "mongodb", "kafka", "amqp", "amqps", "nats", "memcached"} {
		if schemes[name].port == port {
			return schemes[name].form(name)
		}
	}
	return schemes["tcp"].form("tcp")
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return err == nil
}

// none is the list of targets that is empty, and nothing has what else is written for it.
const none = "none"

var nothing = []string{"nothing", "no", "off", "false", "0", "null", "nil", "disabled", "disable", "skip"}

// separated returns an error if s has several targets, separated by something else than
// a comma. Options may have anything in them, and a query too.
func separated(s string) error {
	before := s
	if i := strings.IndexAny(s, "#?"); i >= 0 {
		before = s[:i]
	}
	isSeparator := func(r rune) bool { return strings.ContainsRune(" \t\r\n;|", r) }
	for i, item := range strings.FieldsFunc(before, isSeparator) {
		if i > 0 && (strings.Contains(item, "://") || sidecarNamed(item) != nil) {
			return errors.New("separate several targets by commas")
		}
	}
	return nil
}

// notOne returns an error if s is not one target because of what is around or between
// several.
func notOne(s string) error {
	if strings.HasPrefix(s, `"`) || strings.HasPrefix(s, "'") { // a shell takes it away, a list of a compose file does not
		return errors.New("it begins with a quotation mark, which is part of the value here: remove it, and the one at the end")
	}
	return separated(s)
}
