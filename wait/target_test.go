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
	"unicode/utf8"
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
		{"ISTIO", "istio", "127.0.0.1:15020 [::1]:15020", "127.0.0.1:15020 [::1]:15020 127.0.0.1:15021 [::1]:15021"},
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
		{`http://db/#body="up"`, "http://db/#body=%22up%22", "db:80", ""},
		{"unix:///my file", "unix:///my%20file", "", ""},
		{"http://my_db-1.x.:1/", "http://my_db-1.x.:1/", "my_db-1.x.:1", ""},
		{"http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/", "xn--bcher-kva.example:80", ""},
		{"grpc://[fe80::1%25eth0]:1", "grpc://[fe80::1%25eth0]:1", "[fe80::1%eth0]:1", ""},
		{"http://[::1%25lo]/#header=Host:a.example:8080", "http://[::1%25lo]/#header=Host:***", "[::1%lo]:80", "[::1%lo]:80"},

		{"kafka://db", "kafka://db", "db:9092", ""},
		{"kafkas://localhost", "kafkas://localhost", "127.0.0.1:9092 [::1]:9092", "127.0.0.1:9092 [::1]:9092"},
		{"amqp://db", "amqp://db", "db:5672", ""},
		{"amqps://u:p@db/vhost", "amqps://***@db/vhost", "db:5671", ""},
		{"mongodb://u:p@db/admin?replicaSet=x", "mongodb://***@db/admin?***", "db:27017", ""},
		{"nats://token@db", "nats://***@db", "db:4222", ""},
		{"memcached://db", "memcached://db", "db:11211", ""},
		{"grpc://db:1#status=12&status=UNAVAILABLE", "grpc://db:1#status=12&status=UNAVAILABLE", "db:1", ""},
		{"http://db/#json=/a%3Db~1c=x%3Dy&contains=a%26b", "http://db/#json=/a%3Db~1c=x%3Dy&contains=a%26b", "db:80", ""},

		{"http://u:p@db/", "http://***@db/", "db:80", ""},
		{"http://u@db/", "http://***@db/", "db:80", ""},
		{"http://:p%40%2F%23@db/", "http://***@db/", "db:80", ""},
		{"http://db/%40p?q=%40", "http://db/%40p?***", "db:80", ""},
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

// An error says what is wrong, and shows nothing of what could not be parsed.
func TestParseErrors(t *testing.T) {
	const (
		names     = "write one of istio, linkerd, consul, kuma, dapr, cloudsql, alloydb, none, or a URL such as http://localhost:8080/healthz"
		unknown   = "it is neither a known name nor a URL: " + names + "; a comma in a URL is %2C"
		encode    = "it is not a URL, or it has a character that must be percent-encoded (% itself is %25)"
		badPort   = "its port is not a number, or its password has a character that must be percent-encoded (/ is %2F, ? is %3F, # is %23)"
		badHost   = "its host has a character that no host name has: write a name with letters beyond ASCII in its xn-- form"
		badAt     = "it has an @ after its host: in a password / is written %2F and ? is %3F, elsewhere @ is %40"
		badOption = "unknown option: http:// knows #status, #header, #body, #contains, #json; in a value & is written %26, in a password # is %23"
		badStatus = "#status is not a status: write #status=204 or #status=200-299"
		badHeader = "#header is not a header: write #header=Name:value"
		protocol  = "unknown scheme: startgate does not speak this protocol. Write tcp://HOST:PORT, which is ready when a connection is accepted; " +
			"in a mesh the proxy accepts it, whether or not the server is there. It speaks amqp, amqps, dns, file, grpc, grpcs, http, https, kafka, kafkas, memcached, mongodb, mysql, nats, postgres, redis, rediss, tcp, unix"
		noScheme = "it has no scheme: write "
		aFile    = noScheme + "file:///PATH, with the absolute path of a file"
		anIstio  = "unknown name: did you mean istio?"
		aNone    = "unknown name: did you mean none?"
		quoted   = "it begins with a quotation mark, which is part of the value here: remove it, and the one at the end"
		several  = "separate several targets by commas"
		unixForm = "write unix:///PATH, or unix://@NAME for an abstract socket"
		nameForm = "it is not a name alone: write dns:///NAME, which the system's resolver is asked for"
		badCode  = "#status is not a gRPC status: write #status=UNIMPLEMENTED or #status=12"
		badJSON  = "#json is not a pointer and a value: write #json=/status=UP; in a name / is ~1 and ~ is ~0"
	)
	for _, test := range []struct{ s, want string }{
		{"", "it is empty: remove the extra comma, or write none to wait for nothing"},
		{"none", "none stands alone, to wait for nothing"},
		{"itsio", "unknown name: did you mean istio?"},
		{"vault", "vault can only be shut down. It has no ready endpoint: wait for the file that the agent renders, such as file:///vault/secrets/NAME"},
		{"none\t", "none stands alone, to wait for nothing"},
		{"None", "none stands alone, to wait for nothing"},
		{"traefik", unknown},

		// The names of containers and programs.
		{"istio-proxy", anIstio},
		{"Istio-Proxy", anIstio},
		{"istio/", anIstio},
		{"pilot-agent", anIstio},
		{"linkerd-proxy", "unknown name: did you mean linkerd?"},
		{"consul-dataplane", "unknown name: did you mean consul?"},
		{"kuma-sidecar", "unknown name: did you mean kuma?"},
		{"daprd", "unknown name: did you mean dapr?"},
		{"cloud-sql-proxy", "unknown name: did you mean cloudsql?"},
		{"cloud_sql_proxy", "unknown name: did you mean cloudsql?"},
		{"cloudsql-proxy", "unknown name: did you mean cloudsql?"},
		{"alloydb-auth-proxy", "unknown name: did you mean alloydb?"},
		{"vault-agent", "vault can only be shut down. It has no ready endpoint: wait for the file that the agent renders, such as file:///vault/secrets/NAME"},
		{"envoy", "unknown name: did you mean istio, consul or kuma, whose proxies are Envoys?"},
		{"off", aNone},
		{"False", aNone},
		{"0", aNone},

		// Their ports.
		{"istio:15020", anIstio},
		{"localhost:15021", anIstio},
		{"127.0.0.1:4191", "unknown name: did you mean linkerd?"},
		{"localhost:9090", noScheme + "tcp://HOST:PORT"}, // of two of them, and Prometheus
		{"db:15020", noScheme + "tcp://HOST:PORT"},

		// Hosts and paths.
		{"localhost:8080", noScheme + "tcp://HOST:PORT"},
		{"my-db:8080", noScheme + "tcp://HOST:PORT"},
		{"[::1]:9999", noScheme + "tcp://HOST:PORT"},
		{"redis:6379", noScheme + "redis://HOST"},
		{"db:5432", noScheme + "postgres://HOST"},
		{"mysql:3306", noScheme + "mysql://HOST"},
		{"mq:5672", noScheme + "amqp://HOST"},
		{"broker:9092", noScheme + "kafka://HOST"},
		{"db:80", noScheme + "http://HOST"},
		{"db:443", noScheme + "https://HOST"},
		{"localhost", noScheme + "tcp://HOST:PORT"},
		{"db.default.svc", noScheme + "tcp://HOST:PORT"},
		{"10.0.0.1", noScheme + "tcp://HOST:PORT"},
		{"::1", noScheme + "tcp://HOST:PORT"},
		{"localhost/healthz", noScheme + "http://HOST:PORT/PATH"},
		{"web:8080/healthz", noScheme + "http://HOST:PORT/PATH"},
		{"web:8080/", noScheme + "tcp://HOST:PORT"},
		{"/vault/secrets/db", aFile},
		{"/vault/secrets/", aFile},
		{"./db", aFile},
		{"../db", aFile},
		{"~/db", aFile},

		{`"istio"`, quoted},
		{"'istio'", quoted},
		{`"http://localhost:1/"`, quoted},
		{"istio redis://db", several},
		{"redis://db:6379/ file:///x", several}, // once the path "/ file:///x" of a Redis
		{"istio;linkerd", several},
		{"file:///a\nfile:///b", several},
		{"redis://db | Istio", several},
		{"htp://db/", "unknown scheme: did you mean http://?"},
		{"postgresql://db/", "unknown scheme: write postgres://"},
		{"gopher://db/", protocol},
		{"mssql://db", protocol}, // once "did you mean mysql://?"
		{"ldap://l", protocol},
		{"smtp://mail", protocol},
		{"ssh://h", protocol},
		{"mqtt://m", protocol},
		{"ws://web/", "unknown scheme: write http://"},
		{"jdbc:postgresql://db/x", "remove jdbc: before its scheme"},
		{"://db/", encode},

		{"http://", "it has no host: write http://HOST"},
		{"https:///up", "it has no host: write https://HOST"},
		{"http://:8080/", "it has no host: write http://HOST"},
		{"tcp://db", "it has no port: write tcp://HOST:PORT"},
		{"http://db:0/", "its port is not between 1 and 65535"},
		{"http://db:65536/", "its port is not between 1 and 65535"},
		{"http://db:99999999999999999999/", "its port is not between 1 and 65535"},
		{"http://db/%zz", encode},
		{"http://d b/", encode},
		{"http://db/\n#status=204", "it has a line break or another control character"},
		{"redis://[fe80::1%eth0]:1", encode},

		// Their names do not resolve, and one that is not UTF-8 is no label of a metric.
		{"http://bücher.example/", badHost},
		{"http://%ff:1/", badHost},
		{"redis://$(HOST)", badHost},
		{"http://a,b/", badHost},

		{"redis", "it has no :// after its scheme: write redis://HOST"},
		{"https//web", "it has no :// after its scheme: write https://HOST"},
		{"http:/localhost", "it has no :// after its scheme: write http://HOST"},
		{"dns://", nameForm},
		{"dns:///", nameForm},
		{"dns://db", nameForm},
		{"dns://10.0.0.1/db", nameForm},
		{"dns://us3r:s3cret@/db", nameForm},
		{"dns:///db?s3cret", nameForm},
		{"dns:///db/", badHost},
		{"dns:///a/s3cret", badHost},
		{"dns:///us3r:s3cret@db", badHost},
		{"dns:///10.0.0.1", "it has an address, which needs no resolver: write dns:///NAME"},
		{"dns:db", "it has no :// after its scheme: write dns:///NAME"},
		{"dns:///db#insecure", "dns:// takes no options; in a password # is written %23"},
		{"rabbitmq://db", "unknown scheme: write amqp://"},
		{"mongodb+srv://db", "unknown scheme: SRV records are not looked up, write mongodb:// and the host of one server"},

		{"file:/x", "it has no :// after its scheme: write file:///PATH"},
		{"unix:@abstract", "it has no :// after its scheme: " + unixForm},
		{"unix:///", "it has no absolute path: " + unixForm},
		{"unix://", "it has no absolute path: " + unixForm},
		{"unix://@", "it has no absolute path: " + unixForm},
		{"unix://name", "it has no absolute path: " + unixForm},
		{"file://@name", "it has no absolute path: write file:///PATH"},
		{"file://u:s3cret@/x", "it has no absolute path: write file:///PATH"},
		{"unix:///" + strings.Repeat("long", 50), "its path has 201 bytes, and that of a Unix socket has at most 107"},
		{"unix://@" + strings.Repeat("long", 50), "its path has 201 bytes, and that of a Unix socket has at most 107"},

		{"http://db/#stauts=204", "unknown option: did you mean #status?"},
		{"http://db/#nonsense", badOption},
		{"http://db/#ca=/ca.pem", badOption},
		{"https://db/#nonsense", "unknown option: https:// knows #status, #header, #body, #contains, #json, #ca, #insecure; in a value & is written %26, in a password # is %23"},
		{"redis://db/#status=204", "redis:// takes no options; in a password # is written %23"},
		{"http://db/#status", badStatus},
		{"http://db/#status=2xx", badStatus},
		{"http://db/#status=100", badStatus}, // a 1xx answer is never the last
		{"http://db/#status=600", badStatus},
		{"http://db/#status=299-200", badStatus},
		{"http://db/#status=200-", badStatus},
		{"http://db/#status=200-204-299", badStatus},
		{"http://db/#status=%zz", encode},
		{"http://db/#body=" + strings.Repeat("a", 201), "#body is longer than 200 bytes, which is as much as is compared"},
		{"http://db/#contains=", "#contains takes a text of 1 to 200 bytes"},
		{"http://db/#contains=" + strings.Repeat("a", 201), "#contains takes a text of 1 to 200 bytes"},
		{"http://db/#json", badJSON},
		{"http://db/#json=/a", badJSON},
		{"http://db/#json=a=b", badJSON},
		{"http://db/#json=/a~2=b", badJSON},
		{"http://db/#json=/a~=b", badJSON},
		{"http://db/#json=/a/" + strings.Repeat("b", 200) + "=c", "#json is longer than 200 bytes"},
		{"grpc://db:1/#status=OK", "#status=OK is not needed: SERVING is ready without it"},
		{"grpc://db:1/#status=0", "#status=OK is not needed: SERVING is ready without it"},
		{"grpc://db:1/#status=17", badCode},
		{"grpc://db:1/#status=unimplemented", badCode},
		{"grpc://db:1/#status=1-12", badCode},
		{"grpcs://db:1/#status=s3cret", badCode},
		{"https://db/#insecure=false", "#insecure has no value: write #insecure, or leave it out"},
		{"https://db/#ca=/nonexistent/ca.pem", "cannot read the certificates of #ca: no such file or directory"},
		{"https://db/#ca=/dev/null", "cannot read the certificates of #ca: it is not a regular file"},
		{"https://db/#ca", "cannot read the certificates of #ca: no such file or directory"},
		{"http://db/#header=s3cret", badHeader},
		{"http://db/#header=:s3cret", badHeader},
		{"http://db/#header=A B:s3cret", badHeader},
		{"http://db/#header=A(B:s3cret", badHeader},
		{"http://db/#header=Ä:s3cret", badHeader},
		{"http://db/#header=A:s3cret%0D%0AB:x", badHeader},
		{"http://db/#header=A:s3cret%00", badHeader},
		{"http://db/#header=A:s3cret%7F", badHeader},

		// net/http drops these, or sends an empty request.
		{"http://db/#header=transfer-encoding:identity", "#header cannot set Transfer-Encoding: a request has no body, and its connection is closed"},
		{"http://db/#header=Content-Length:1", "#header cannot set Content-Length: a request has no body, and its connection is closed"},
		{"http://db/#header=Trailer:A", "#header cannot set Trailer: a request has no body, and its connection is closed"},
		{"http://db/#header=Connection:keep-alive", "#header cannot set Connection: a request has no body, and its connection is closed"},
		{"http://db/#header=Host:", "#header=Host: takes one host, with or without a port"},
		{"http://db/#header=Host:a b", "#header=Host: takes one host, with or without a port"},
		{"http://db/#header=Host:a/b", "#header=Host: takes one host, with or without a port"},
		{"http://db/#header=Host:bücher.example", "#header=Host: takes one host, with or without a port"},
		{"http://db/#header=Host:a&header=host:b", "#header=Host: takes one host, with or without a port"},

		// Any part may be a password, or a part of one.
		{"http:/user:s3cret@db/", "it has no :// after its scheme: write http://HOST"},
		{"user:s3cret@tcp(db)/x", unknown},
		{"user:s3cret@db:80", unknown},
		{"host=db password=s3cret", unknown},
		{"http://user:s3c#ret@db/", badPort},
		{"http://user:s3c?ret@db/", badPort},
		{"http://user:s3c/ret@db/", badPort},
		{"http://user:s3c", badPort},
		{"http://user:s3c@ret@db:port/", badPort},
		{"http://user:/s3cret@db/", badAt},
		{"http://user:80/s3cret@db/", badAt},
		{"http://user:p@s3c/ret@db/", badAt},
		{"http://user:1?s3cret@db/", badAt}, // once sent to the host "user" as a query
		{"redis://user:1?s3cret@db/", badAt},
		{"http://user?s3cret@db/", badAt},
		{"http://user#s3cret@db/", badOption},
		{"http://user:1#s3cret@db/", badOption},
		{"redis://user:1#s3cret@db/", "redis:// takes no options; in a password # is written %23"},
		{"http://user:s3c%ret@db/", encode},
		{"http://user:s3c ret@db/", encode},
		{"s3cret://db/", protocol},
		{"s3cret:8080", noScheme + "tcp://HOST:PORT"},
		{"s3cret.de:8080/s3cret", noScheme + "http://HOST:PORT/PATH"},
		{"/s3cret", aFile},
		{"istio s3cret://db/", several},
		{"http://db/%zz?q=s3cret", encode},
		{"http://db/#token=s3cret", badOption},
		{"http://db/#header=X:a&s3cret=b", badOption},
		{"http://db/#heder=X:s3cret", "unknown option: did you mean #header?"},
		{"http://db/#status=s3cret", badStatus},
		{"https://user:1#ca=/s3cret@db/", "cannot read the certificates of #ca: no such file or directory"},
		{"http://db/?q=s3cret#status=1&header=A:x@s3cret", badStatus},
	} {
		target, err := Parse(test.s)
		if err == nil {
			t.Errorf("%q: no error, %q", test.s, target.Name)
			continue
		}
		if want := "cannot use target: " + test.want; err.Error() != want {
			t.Errorf("%q:\n%v, want\n%s", test.s, err, want)
		}
		for _, secret := range []string{"s3c", "ret@"} {
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
		{"None", ""},
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

// The error names every mistake in a list by its place, and no targets are returned.
func TestParseListErrors(t *testing.T) {
	const empty = "it is empty: remove the extra comma, or write none to wait for nothing"
	for _, test := range []struct{ s, want string }{
		{"", "cannot use target: " + empty},
		{"istio,", "cannot use the 2nd item: " + empty},
		{",,", "cannot use the 1st item: " + empty + "\ncannot use the 2nd item: " + empty + "\ncannot use the 3rd item: " + empty},
		{"istio,none", "cannot use the 2nd item: none stands alone, to wait for nothing"},
		{"itsio,http://db:0/", "cannot use the 1st item: unknown name: did you mean istio?\ncannot use the 2nd item: its port is not between 1 and 65535"},
	} {
		targets, err := ParseList(test.s)
		if err == nil || err.Error() != test.want || targets != nil {
			t.Errorf("%q: %v, %v, want %s", test.s, targets, err, test.want)
		}
	}
}

func TestPlace(t *testing.T) {
	for i, want := range map[int]string{0: "1st", 1: "2nd", 2: "3rd", 3: "4th", 9: "10th", 10: "11th", 12: "13th", 20: "21st", 110: "111th"} {
		if got := place(i, 200); got != "the "+want+" item" {
			t.Errorf("%d: %s", i, got)
		}
	}
}

// A comma that is not encoded splits a password in two. The error once showed the second
// part as the name of an unknown sidecar, also that of a query or a header.
func TestParseListHidesSplitPasswords(t *testing.T) {
	getenv := func(string) string { return "" }
	for _, list := range []string{
		"http://user:s3c,r3t@db/,istio",
		"http://user:s3c,r3t,r3t@db/,istio",
		"http://localhost/?token=s3c,r3t",
		"http://localhost/#header=Authorization:s3c,r3t",
		"http://localhost/?token=s3c,istio,r3t",
		"redis:6379,password=r3t",
	} {
		if _, err := ParseList(list); err == nil || strings.Contains(err.Error(), "s3c") || strings.Contains(err.Error(), "r3t") {
			t.Errorf("%s: %v", list, err)
		}
		if _, err := ParseQuitList(list, getenv); err == nil || strings.Contains(err.Error(), "s3c") || strings.Contains(err.Error(), "r3t") {
			t.Errorf("%s: %v", list, err)
		}
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
		{"contains=a%26b&contains=c", options{header: http.Header{}, contains: []string{"a&b", "c"}}},
		{
			"json=/a%3Db~1c/0=x%3Dy&json==1", options{header: http.Header{}, json: []jsonValue{
				{"/a=b~1c/0", []string{"a=b/c", "0"}, "x=y"}, {"", nil, "1"},
			}},
		},
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

// FuzzParse parses any text, text with a secret anywhere in it, and URLs with a secret in
// every place for credentials.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "istio", "none", "istio,none", "http://localhost:8080/up", "https://u:p@db:443/?a=b#status=200-299&header=A:b&insecure",
		"http://[::1%25lo]:80/", "://", "http://a:b:c", "http://%", "http://db/#&&", "http://a@b@c/", "redis://db:6379", "http://db#header=%3a", ",",
		"http:/u:p@h/", "u:p@tcp(db)/x", "host=db password=p", "redis:6379,password=p", "http://db/#token=p", "http://u:1?p@h/", "http://%ff:1/",
		"unix:@p", "unix://@p", "unix://u:p@/x", "tcp://db", "grpc://$(p):1", "http://db/#header=Host:p/", "http://db/#status=p", "p://db/",
		"istio-proxy", "p:6379", "localhost:15020", "/p", "p/q", "istio p://db", "istio;p", `"p"`, "envoy", "jdbc:p://db", "ISTIO", "p.q:80/r",
		"dns:///p", "dns://u:p@h/n?q", "mongodb://u:p@a:1/db?x=y", "amqps://u:p@h/v", "grpcs://h:1/s#status=p&insecure", "http://h/#json=/p~0=q&contains=p", "kafka://u:p@h", "nats://p@h",
	} {
		f.Add(s, "x", uint(len(s)))
	}
	f.Fuzz(func(t *testing.T, s, odd string, at uint) {
		if strings.Contains(s, "ca") {
			return // may name any file, which Parse would read
		}
		const secret = "s3cRet"
		split := int(at % uint(len(s)+1))
		for _, s := range []string{s, s[:split] + secret + s[split:]} {
			if target, err := Parse(s); err == nil {
				if again, err := Parse(target.Name); err != nil || again.Name != target.Name || !utf8.ValidString(target.Name) {
					t.Errorf("%q is called %q, which is called %q, %v", s, target.Name, again.Name, err)
				}
			}
			for _, parse := range []func(string) error{
				func(s string) error { _, err := Parse(s); return err },
				func(s string) error { _, err := ParseList(s); return err },
				func(s string) error { _, err := ParseQuitList(s, nil); return err },
			} {
				err := parse(s)
				if err != nil && (strings.Contains(err.Error(), secret) || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' && r != '\n' })) {
					t.Errorf("%q: %q", s, err)
				}
			}
		}
		escaped := escapeOption(odd + secret)
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
