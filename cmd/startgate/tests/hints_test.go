//go:build linux

package tests

// That a stuck pod explains itself, and that no secret is printed.

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answer makes everything on addr answer so.
func answer(t *testing.T, addr string, to reply) {
	t.Helper()
	s := newSidecar(t, addr)
	s.answer, s.quit = to, to
	s.listen()
}

// serveTLS starts a web server that speaks TLS.
func serveTLS(t *testing.T, addr string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Listener.Close()
	server.Listener = listenOn(t, addr)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
}

// A stuck pod explains itself: the message that ends the wait, or the one about the
// quit, names the cause and the next step.
func TestHints(t *testing.T) {
	const dropped = "127.0.0.1:7001"
	for _, test := range []struct {
		name     string
		setUp    string
		servers  func(t *testing.T)
		settings []string
		want     []string // parts of the message
	}{
		{
			"not injected", outbound, nil, nil,
			[]string{"connection refused. Nothing listens and nothing is redirected: the pod is probably not injected", "Set STARTGATE_SIDECAR_STATUS"},
		},
		{
			"an init container before a classic sidecar, or no proxy behind the redirect", redirect, nil, nil,
			[]string{
				"Outbound traffic is redirected to a proxy that does not listen", "this is an init container in front of a classic sidecar",
				"see kubectl describe pod",
			},
		},
		{
			"istiod out of reach", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				startReady(t, "127.0.0.1:15000")
			},
			nil,
			[]string{"status 503. The proxy has received no configuration: istiod is out of reach", "grep 'NOT ready'"},
		},
		{
			"something else has the port of Envoy's counters", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				answer(t, "127.0.0.1:15000", status(404, ""))
			},
			nil,
			[]string{"status 503. Istio's agent is up, and its Envoy is not ready; the reason is in kubectl logs"},
		},
		{
			"a web page has the port of Envoy's counters", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				answer(t, "127.0.0.1:15000", status(200, "<html>\n"))
			},
			nil,
			[]string{"status 503. Istio's agent is up, and its Envoy is not ready; the reason is in kubectl logs"},
		},
		{
			"configuration rejected", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				answer(t, "127.0.0.1:15000", status(200, "cluster_manager.cds.update_rejected: 2\nlistener_manager.lds.update_success: 1\n"))
			},
			nil,
			[]string{"status 503. Envoy has rejected the configuration that istiod sent", "istioctl analyze"},
		},
		{
			"the sidecar is gone after it had answered", "",
			func(t *testing.T) {
				answer(t, agentAddr, func(s *sidecar, conn net.Conn) {
					s.refuse()
					status(503, "")(s, conn)
				})
			},
			nil,
			[]string{"connection refused. It answered before and is gone", "kubectl logs POD --previous"},
		},
		{
			"the status port is another", "",
			func(t *testing.T) { listenOn(t, healthAddr) },
			nil,
			[]string{"connection refused. The proxy is up, and its status port is another or disabled", "status.sidecar.istio.io/port", "http://localhost:15021/healthz/ready"},
		},
		{
			"Linkerd's shutdown endpoint is off", "",
			func(t *testing.T) { answer(t, "127.0.0.1:4191", status(404, "shutdown endpoint is not enabled\n")) },
			[]string{"WAIT_FOR=none", "QUIT=linkerd"},
			[]string{`linkerd did not accept the shutdown request: POST http://localhost:4191/shutdown: status 404: \"shutdown endpoint is not enabled\"`, "off since 2.16: set proxy.enableShutdownEndpoint"},
		},
		{
			"Dapr on the path that waits for the application", "",
			func(t *testing.T) { answer(t, "127.0.0.1:3500", status(500, `{"errorCode":"ERR_HEALTH_NOT_READY"}`)) },
			[]string{"WAIT_FOR=http://localhost:3500/v1.0/healthz"},
			[]string{"status 500", "This path of Dapr waits for the application, which waits for it: write dapr instead"},
		},
		{
			"a secret that is never rendered", "", nil,
			[]string{"WAIT_FOR=file:///vault/secrets/db"},
			[]string{"it does not exist. What writes this file has not done so", "is the volume mounted in both containers?"},
		},
		{
			"a file that is empty for ever", "", nil,
			[]string{"WAIT_FOR=file:///dev/null"},
			[]string{"it is empty. The file is there, and what writes it has not finished or failed", "if the file is to be empty, write #empty after its URL"},
		},
		{
			"name resolution is down", "", nil,
			[]string{"WAIT_FOR=redis://cache.default.svc.cluster.local"},
			[]string{"cannot resolve cache.default.svc.cluster.local: ", "Names cannot be resolved: check the name, /etc/resolv.conf and the cluster's DNS"},
		},
		{
			"a dependency that refuses behind a ready mesh", outbound,
			func(t *testing.T) { startReady(t, agentAddr) },
			[]string{"WAIT_FOR=istio,redis://10.255.255.1"},
			[]string{"redis://10.255.255.1 not ready after", "connection refused. Nothing listens there: is it running, and is the port right?"},
		},
		{
			"a dependency that speaks TLS", "",
			func(t *testing.T) { serveTLS(t, dropped) },
			[]string{"WAIT_FOR=redis://" + dropped},
			[]string{"not ready after", ". The server speaks TLS: write rediss://"},
		},
		{
			"a web server that speaks TLS", "",
			func(t *testing.T) { serveTLS(t, dropped) },
			[]string{"WAIT_FOR=http://" + dropped + "/up"},
			[]string{"status 400", ". The server speaks TLS: write https://"},
		},
		{
			"a dependency that is down, and the proxy accepts in its place", "",
			func(t *testing.T) {
				startReady(t, agentAddr)
				startSidecar(t, dropped) // which does not understand what it is asked, and hangs up
			},
			[]string{"WAIT_FOR=istio,redis://" + dropped},
			[]string{"not ready after", "closed without an answer. The connection is accepted and comes to nothing: in a mesh the proxy accepts it in the server's place"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, test.setUp)
			if test.servers != nil {
				test.servers(t)
			}
			// On a busy machine the time may be up before anything has answered.
			for limit := 300 * time.Millisecond; ; limit *= 4 {
				settings := append([]string{"WAIT_FOR=istio", "TIMEOUT=" + limit.String(), "QUIT_TIMEOUT=1s"}, test.settings...)
				p := runToEnd(t, command(settings, binary, "true"))
				for line := range strings.Lines(p.log.String()) {
					if containsAll(line, test.want) {
						return
					}
				}
				if limit > 2*soon {
					p.Fatalf("no line of the log has %q", test.want)
				}
			}
		})
	}
}

func containsAll(s string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}

// After ten seconds the log has the hint, while the wait goes on.
func TestHintWhileWaiting(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	p := startGate(t, []string{"WAIT_FOR=file:///missing"}, "true")
	p.untilLog("after 10s: ")
	log := p.log.String()
	for _, at := range []string{"1s", "2s", "5s"} {
		if !strings.Contains(log, fmt.Sprintf(`msg="still waiting for file:///missing after %s: look at file:///missing: it does not exist"`+"\n", at)) {
			p.Errorf("nothing is said, or a hint is given, at %s", at)
		}
	}
	if !strings.Contains(log, `after 10s: look at file:///missing: it does not exist" hint="What writes this file has not done so`) {
		p.Errorf("no hint at 10s")
	}
}

// Marked secrets, in every place that takes one, are in no output.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	file := t.TempDir() + "/x.prom"
	port := listenOn(t, "127.0.0.1:0").Addr().String()
	for _, secrets := range [][]string{
		{"WAIT_FOR=http://user:s3cr3t@" + port + "/?token=s3cr3t#header=X-Key:s3cr3t&status=204"},
		{"WAIT_FOR=redis://:s3cr3t@" + port + "/0?password=s3cr3t"},
		{"WAIT_FOR=postgres://app:s3cr3t@" + port + "/db?sslpassword=s3cr3t"},
		{"WAIT_FOR=mysql://app:s3cr3t@" + port + "/db"},
		{"WAIT_FOR=grpc://app:s3cr3t@" + port},
		{"WAIT_FOR=mongodb://app:s3cr3t@" + port + "/admin?password=s3cr3t"},
		{"WAIT_FOR=amqp://app:s3cr3t@" + port + "/vhost"},
		{"WAIT_FOR=kafka://app:s3cr3t@" + port},
		{"WAIT_FOR=nats://s3cr3t@" + port},
		{"WAIT_FOR=memcached://app:s3cr3t@" + port},
		{"WAIT_FOR=dns://app:s3cr3t@name/x"},
		{"WAIT_FOR=dns:///app:s3cr3t@name"},
		{"WAIT_FOR=grpc://" + port + "#status=s3cr3t"},
		{"WAIT_FOR=redis://:pass/s3cr3t@" + port},
		{"WAIT_FOR=redis://:pass#s3cr3t@" + port},
		{"WAIT_FOR=redis://:pass?s3cr3t@" + port},
		{"WAIT_FOR=redis://:a,s3cr3t@" + port},
		{"WAIT_FOR=reddis://:s3cr3t@" + port},
		{"WAIT_FOR=redis:6379,password=s3cr3t"},
		{"WAIT_FOR=redis://" + port + ",password=s3cr3t"},
		{"WAIT_FOR=http:/user:s3cr3t@" + port + "/"},
		{"WAIT_FOR=user:s3cr3t@tcp(" + port + ")/db"},
		{"WAIT_FOR=host=db password=s3cr3t"},
		{"WAIT_FOR=postgres://host=db password=s3cr3t"},
		{"WAIT_FOR=http://user:1?s3cr3t@" + port + "/"},
		{"WAIT_FOR=http://user:1/s3cr3t@" + port + "/"},
		{"WAIT_FOR=http://user:1#s3cr3t@" + port + "/"},
		{"WAIT_FOR=https://user:1#ca=/s3cr3t@" + port + "/"},
		{"WAIT_FOR=unix://user:s3cr3t@/x"},
		{"WAIT_FOR=s3cr3t://" + port},
		{"WAIT_FOR=s3cr3t"},
		{"WAIT_FOR=http://" + port + "/#token=s3cr3t"},
		{"WAIT_FOR=http://" + port + "/#status=s3cr3t"},
		{"WAIT_FOR=http://" + port + "/#haeder=X-Key:s3cr3t"},
		{"WAIT_FOR=http://" + port + "/#header=s3cr3t"},
		{"WAIT_FOR=none", "QUIT=http://user:s3cr3t@" + port + "/?token=s3cr3t#header=X-Key:s3cr3t"},
		{"WAIT_FOR=none", "QUIT=http://user:s3cr3t@example.com/?token=s3cr3t"},
		{"WAIT_FOR=none", "QUIT=http://localhost?s3cr3t@" + port + "/"},
		{"WAIT_FOR=none", "QUIT=localhost:1/s3cr3t"},
		{"WAIT_FOR=none", "QUIT=dapr"},
		{"WAIT_FOR=none", "METRICS=" + file + ",http://user:s3cr3t@" + port + "/"},
	} {
		for _, format := range []string{"text", "json"} {
			settings := append([]string{
				"TIMEOUT=100ms", "QUIT_TIMEOUT=100ms", "LOG_LEVEL=debug",
				"LOG_FORMAT=" + format, "METRICS=" + file,
			}, secrets...)
			for _, argument := range []string{"true", "--check"} {
				cmd := command(settings, binary, argument)
				cmd.Env = append(cmd.Env, "DAPR_API_TOKEN="+secret)
				p := runToEnd(t, cmd)
				if said := p.out.String() + p.log.String(); said == "" || strings.Contains(said, secret) {
					p.Errorf("%q: the secret is in what it says, or it says nothing", secrets)
				}
			}
			if text := readIfThere(t, file); strings.Contains(text, secret) {
				t.Errorf("%q: the secret is in the metrics:\n%s", secrets, text)
			}
		}
	}
}
