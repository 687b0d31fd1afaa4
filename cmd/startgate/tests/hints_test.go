//go:build linux

package tests

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answer makes everything on addr answer with this status and body.
func answer(t *testing.T, addr string, status int, body string) {
	t.Helper()
	serveBy(t, addr, func(w http.ResponseWriter, _ *http.Server) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// serveBy starts a server that does this when it is asked.
func serveBy(t *testing.T, addr string, does func(http.ResponseWriter, *http.Server)) {
	t.Helper()
	listener := listenOn(t, addr)
	server := &http.Server{}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { does(w, server) })
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
}

// A pod that is stuck explains itself: the message that ends the wait, or tells of
// the quit, names the cause and the next step.
func TestStuck(t *testing.T) {
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
				answer(t, agentAddr, 503, "")
				answer(t, "127.0.0.1:15000", 200, "")
			},
			nil,
			[]string{"status 503. The proxy has received no configuration: istiod is out of reach", "grep 'NOT ready'"},
		},
		{
			"configuration rejected", "",
			func(t *testing.T) {
				answer(t, agentAddr, 503, "")
				answer(t, "127.0.0.1:15000", 200, "cluster_manager.cds.update_rejected: 2\nlistener_manager.lds.update_success: 1\n")
			},
			nil,
			[]string{"status 503. Envoy has rejected the configuration that istiod sent", "istioctl analyze"},
		},
		{
			"the sidecar is gone after it had answered", "",
			func(t *testing.T) {
				serveBy(t, agentAddr, func(w http.ResponseWriter, server *http.Server) {
					w.WriteHeader(503)
					go server.Close()
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
			func(t *testing.T) { answer(t, "127.0.0.1:4191", 404, "shutdown endpoint is not enabled\n") },
			[]string{"STARTGATE_WAIT_FOR=none", "STARTGATE_QUIT=linkerd"},
			[]string{`linkerd did not accept the quit: POST http://localhost:4191/shutdown: status 404: \"shutdown endpoint is not enabled\"`, "off since 2.16: set proxy.enableShutdownEndpoint"},
		},
		{
			"Dapr on the path that waits for the application", "",
			func(t *testing.T) { answer(t, "127.0.0.1:3500", 500, `{"errorCode":"ERR_HEALTH_NOT_READY"}`) },
			[]string{"STARTGATE_WAIT_FOR=http://localhost:3500/v1.0/healthz"},
			[]string{"status 500", "This path of Dapr waits for the application, which waits for it: write dapr instead"},
		},
		{
			"a secret that is never rendered", "", nil,
			[]string{"STARTGATE_WAIT_FOR=file:///vault/secrets/db"},
			[]string{"it does not exist. What writes this file has not done so", "is the volume mounted in both containers?"},
		},
		{
			"name resolution is down", "", nil,
			[]string{"STARTGATE_WAIT_FOR=redis://cache.default.svc.cluster.local"},
			[]string{"cannot resolve cache.default.svc.cluster.local: ", "Names cannot be resolved: check the name, /etc/resolv.conf and the cluster's DNS"},
		},
		{
			"a dependency that refuses behind a ready mesh", outbound,
			func(t *testing.T) { answer(t, agentAddr, 200, "") },
			[]string{"STARTGATE_WAIT_FOR=istio,redis://10.255.255.1"},
			[]string{"redis://10.255.255.1 not ready after", "connection refused. Nothing listens there: is it running, and is the port right?"},
		},
		{
			"a dependency that is down, and the proxy accepts in its place", "",
			func(t *testing.T) {
				answer(t, agentAddr, 200, "")
				listener := listenOn(t, dropped)
				go func() {
					for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
						_, _ = conn.Read(make([]byte, 64))
						conn.Close()
					}
				}()
			},
			[]string{"STARTGATE_WAIT_FOR=istio,redis://" + dropped},
			[]string{"not ready after", "closed without an answer. The connection is accepted and comes to nothing: in a mesh the proxy accepts it in the server's place"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			enterNetwork(t)
			setUp(t, test.setUp)
			if test.servers != nil {
				test.servers(t)
			}
			settings := append([]string{"STARTGATE_WAIT_FOR=istio", "STARTGATE_TIMEOUT=300ms", "STARTGATE_QUIT_TIMEOUT=1s"}, test.settings...)
			_, log, _ := supervised(t, settings, "true")
			found := false
			for line := range strings.Lines(log) {
				found = found || containsAll(line, test.want)
			}
			if !found {
				t.Errorf("no line of the log has %q:\n%s", test.want, log)
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

// From ten seconds on the hint is told while the wait goes on, too.
func TestStuckHintWhileWaiting(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	began := time.Now()
	_, log, _ := supervised(t, []string{"STARTGATE_WAIT_FOR=file:///missing", "STARTGATE_TIMEOUT=10100ms"}, "true")
	for _, at := range []string{"1s", "2s", "5s"} {
		if !strings.Contains(log, fmt.Sprintf(`msg="still waiting for file:///missing after %s: look at file:///missing: it does not exist"`+"\n", at)) {
			t.Errorf("nothing is said, or a hint is given, at %s; log:\n%s", at, log)
		}
	}
	if !strings.Contains(log, `after 10s: look at file:///missing: it does not exist" hint="What writes this file has not done so`) {
		t.Errorf("no hint at 10s; after %v the log is\n%s", time.Since(began), log)
	}
}

// Marked secrets, in every place that takes one, are in no output.
func TestSecretsAreNotTold(t *testing.T) {
	const secret = "s3cr3t"
	file := t.TempDir() + "/x.prom"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().String()
	for _, test := range []struct{ settings []string }{
		{[]string{"STARTGATE_WAIT_FOR=http://user:s3cr3t@" + port + "/?token=s3cr3t#header=X-Key:s3cr3t&status=204"}},
		{[]string{"STARTGATE_WAIT_FOR=redis://:s3cr3t@" + port + "/0?password=s3cr3t"}},
		{[]string{"STARTGATE_WAIT_FOR=postgres://app:s3cr3t@" + port + "/db?sslpassword=s3cr3t"}},
		{[]string{"STARTGATE_WAIT_FOR=mysql://app:s3cr3t@" + port + "/db"}},
		{[]string{"STARTGATE_WAIT_FOR=grpc://app:s3cr3t@" + port}},
		{[]string{"STARTGATE_WAIT_FOR=redis://:pass/s3cr3t@" + port}},
		{[]string{"STARTGATE_WAIT_FOR=redis://:pass#s3cr3t@" + port}},
		{[]string{"STARTGATE_WAIT_FOR=redis://:pass?s3cr3t@" + port}},
		{[]string{"STARTGATE_WAIT_FOR=redis://:a,s3cr3t@" + port}},
		{[]string{"STARTGATE_WAIT_FOR=reddis://:s3cr3t@" + port}},
		{[]string{"STARTGATE_WAIT_FOR=http://" + port + "/#haeder=X-Key:s3cr3t"}},
		{[]string{"STARTGATE_WAIT_FOR=http://" + port + "/#header=s3cr3t"}},
		{[]string{"STARTGATE_WAIT_FOR=none", "STARTGATE_QUIT=http://user:s3cr3t@" + port + "/?token=s3cr3t#header=X-Key:s3cr3t"}},
		{[]string{"STARTGATE_WAIT_FOR=none", "STARTGATE_QUIT=http://user:s3cr3t@example.com/?token=s3cr3t"}},
		{[]string{"STARTGATE_WAIT_FOR=none", "STARTGATE_QUIT=dapr", "DAPR_API_TOKEN=s3cr3t"}},
	} {
		for _, format := range []string{"text", "json"} {
			settings := append([]string{
				"STARTGATE_TIMEOUT=100ms", "STARTGATE_QUIT_TIMEOUT=100ms", "STARTGATE_LOG_LEVEL=debug",
				"STARTGATE_LOG_FORMAT=" + format, "STARTGATE_METRICS=" + file,
			}, test.settings...)
			_, log, _ := supervised(t, settings, "true")
			if log == "" || strings.Contains(log, secret) {
				t.Errorf("%q: the secret is in the log, or there is none:\n%s", test.settings, log)
			}
			check := outputOf(t, settings, "--check")
			if check == "" || strings.Contains(check, secret) {
				t.Errorf("%q: the secret is in --check, or it says nothing:\n%s", test.settings, check)
			}
			if text := readIfThere(t, file); strings.Contains(text, secret) {
				t.Errorf("%q: the secret is in the metrics:\n%s", test.settings, text)
			}
		}
	}
}
