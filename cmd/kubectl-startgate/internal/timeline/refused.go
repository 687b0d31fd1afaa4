package timeline

import (
	"regexp"
	"strings"
)

// failure is how programs write that a connection came to nothing.
type failure struct {
	kind    Kind
	phrases []string
}

// failures are tried in this order: what the proxy answers quotes errors of its own.
var failures = []failure{
	{Upstream, []string{"upstream connect error", "delayed connect error", "no healthy upstream", "upstream_reset_before_response_started"}},
	{Unresolved, []string{"read: connection refused", "queryA ECONNREFUSED", "queryAaaa ECONNREFUSED"}}, // by the name server
	{Refused, []string{
		"onnection refused", "ECONNREFUSED", "onnection was refused", "actively refused it", "onnectionRefused", "CONNECTION_REFUSED",
		"Errno::ECONNREFUSED", "(os error 111)", "[Errno 111]", "errno 111", "errno=111", "' (111", "(111)", "(111 ",
	}},
	{Reset, []string{"onnection reset", "ECONNRESET", "(os error 104)", "[Errno 104]", "socket hang up", "server closed the connection unexpectedly"}},
	{Unresolved, []string{
		"no such host", "ENOTFOUND", "EAI_AGAIN", "UnknownHostException", "ame or service not known", "emporary failure in name resolution",
		"ould not resolve host", "getaddrinfo failed", "failed to lookup address information", "getaddresses: ", "Name does not resolve", "ould not translate host name",
		"server misbehaving",
	}},
	{TimedOut, []string{"i/o timeout", "ETIMEDOUT", "onnection timed out", "onnect timed out", "onnect timeout", "(os error 110)", "[Errno 110]"}},
	{Refused, []string{"Could not connect to Redis"}}, // where the reason is in another line, or cut off
}

// findFailure returns what kind of failure a line tells of, and where.
func findFailure(text string) (kind Kind, place int, ok bool) {
	for _, failure := range failures {
		for _, phrase := range failure.phrases {
			if i := strings.Index(text, phrase); i >= 0 {
				return failure.kind, i, true
			}
		}
	}
	return "", 0, false
}

// targets find the address in an error, each as a language or client writes it.
var targets = []*regexp.Regexp{
	regexp.MustCompile(`dial (?:tcp|udp)[46]? (\[[^\]]+\]|[^\s:\[]+):(\d+)`),                              // Go
	regexp.MustCompile(`(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT) ([\w.\-:]+):(\d+)`),                         // Node
	regexp.MustCompile(`onnection refused: (?:[\w.\-]*/)?([\w.\-]+):(\d+)`),                               // Netty
	regexp.MustCompile(`onnection to ([\w.\-]+):(\d+) refused`),                                           // JDBC
	regexp.MustCompile(`onnect to (\[[^\]]+\]|[\w.\-]+):(\d+)`),                                           // Apache's client
	regexp.MustCompile(`server at "([^"]+)"(?: \([^)]*\))?, port (\d+)`),                                  // psql
	regexp.MustCompile(`on host "([^"]+)"(?: \([^)]*\))? and accepting TCP/IP connections on port (\d+)`), // psql before 14
	regexp.MustCompile(`to Redis at ([\w.\-]+):(\d+)`),                                                    // redis-cli
	regexp.MustCompile(`Error (?:\d+ )?connecting to ([\w.\-]+):(\d+)`),                                   // redis-py
	regexp.MustCompile(`host='([^']+)', port=(\d+)`),                                                      // Python's requests
	regexp.MustCompile(`connect\(2\) for "?([^"\s]+)"? port (\d+)`),                                       // Ruby
	regexp.MustCompile(`TCP connection to ([\w.\-]+):(\d+)`),                                              // Ruby's net/http
	regexp.MustCompile(`tcp://([\w.\-]+):(\d+)`),                                                          // PHP's streams
	regexp.MustCompile(`to connect to ([\w.\-]+) port (\d+)`),                                             // curl
	regexp.MustCompile(`server on '([^':]+)(?::(\d+))?'`),                                                 // MySQL's clients
	regexp.MustCompile(`\((?:\[::ffff:)?([\w.\-]+)\]?:(\d+)\)`),                                           // .NET
	regexp.MustCompile(`remote host \(([\d.a-f:]+)\)()`),                                                  // busybox's nc
	regexp.MustCompile(`endpoint ([\w.\-]+):(\d+)`),                                                       // Rust's hyper
	regexp.MustCompile(`(?:https?|redis|postgres(?:ql)?|mysql|amqp)://(?:[^@/\s]*@)?([\w.\-]+|\[[^\]]+\])(?::(\d+))?`),
	regexp.MustCompile(`(?:(?:^|: )lookup|query\w+ ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UnknownHostException:|resolve host:?) "?([\w.\-]+)()`),
	regexp.MustCompile(`(?:tcp|udp)[46]? \S+->(\[[^\]]+\]|[^\s:\[]+):(\d+)`), // Go, of a connection that was made
}

// findTarget returns the address that a line names, or nothing.
func findTarget(text string) string {
	for _, pattern := range targets {
		if found := pattern.FindStringSubmatch(text); found != nil {
			if found[2] == "" {
				return found[1]
			}
			return found[1] + ":" + found[2]
		}
	}
	return ""
}

// IsLoopback reports whether a target is in the pod itself.
func IsLoopback(target string) bool {
	return strings.HasPrefix(target, "127.") || strings.HasPrefix(target, "localhost") || strings.HasPrefix(target, "[::1]") || strings.HasPrefix(target, "::1")
}
