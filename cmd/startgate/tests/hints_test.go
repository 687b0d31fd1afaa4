//go:build linux

package tests

// That a stuck pod explains itself, and that no secret is printed.

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
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

// docs is what the log has of a section of README.md.
func docs(anchor string) string {
	return "docs=https://github.com/startgate/startgate#" + anchor + "\n"
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
			[]string{"connection refused", `hint="Nothing listens and nothing is redirected: the pod is probably not injected`, "Set STARTGATE_SIDECAR_STATUS, or STARTGATE_WAIT_FOR=none", docs("not-injected")},
		},
		{
			"a server behind a redirect", redirect, nil,
			[]string{"WAIT_FOR=redis://192.0.2.1"},
			[]string{"connection refused", `hint="Outbound traffic is redirected to a proxy that does not listen yet: write the mesh's sidecar, such as istio, before this target"`, docs("connection-refused-while-waiting")},
		},
		{
			"a server of this pod, behind a redirect", redirect, nil,
			[]string{"WAIT_FOR=redis://localhost:1"},
			[]string{"connection refused", `hint="Nothing listens there: is it running, and is the port right?"`, docs("connection-refused-while-waiting")},
		},
		{
			"the same by its address", redirect, nil,
			[]string{"WAIT_FOR=redis://127.0.0.1:1"},
			[]string{"connection refused", `hint="Nothing listens there: is it running, and is the port right?"`, docs("connection-refused-while-waiting")},
		},
		{
			"an init container before a classic sidecar, or no proxy behind the redirect", redirect, nil, nil,
			[]string{
				`hint="Outbound traffic is redirected to a proxy that does not listen`, "this is an init container in front of a classic sidecar",
				"see kubectl describe pod", docs("an-init-container-that-waits"),
			},
		},
		{
			"istiod out of reach", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				startReady(t, "127.0.0.1:15000")
			},
			nil,
			[]string{"status 503\"", `hint="The proxy has received no configuration: istiod is out of reach`, "grep 'NOT ready'", docs("the-sidecar-is-not-ready")},
		},
		{
			"something else has the port of Envoy's counters", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				answer(t, "127.0.0.1:15000", status(404, ""))
			},
			nil,
			[]string{`hint="Istio's agent is up, and its Envoy is not ready; the reason is in kubectl logs`, docs("the-sidecar-is-not-ready")},
		},
		{
			"a web page has the port of Envoy's counters", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				answer(t, "127.0.0.1:15000", status(200, "<html>\n"))
			},
			nil,
			[]string{`hint="Istio's agent is up, and its Envoy is not ready; the reason is in kubectl logs`, docs("the-sidecar-is-not-ready")},
		},
		{
			"configuration rejected", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				answer(t, "127.0.0.1:15000", status(200, "cluster_manager.cds.update_rejected: 1\nlistener_manager.lds.update_success: 1\n"))
			},
			nil,
			[]string{`hint="Envoy has rejected the configuration that istiod sent`, "istioctl analyze", docs("the-sidecar-is-not-ready")},
		},
		{
			"the sidecar is gone after it had answered", "",
			func(t *testing.T) {
				answer(t, agentAddr, func(s *sidecar, conn net.Conn) {
					s.refuse()
					status(503, "")(s, conn)
				})
			},
			[]string{"BACKOFF_MAX=50ms"}, // or it is not asked again before the first time-out
			[]string{`hint="It answered before and is gone`, "kubectl logs POD -c CONTAINER, with --previous if it was restarted", docs("it-answered-before-and-is-gone")},
		},
		{
			"Envoy is not up", "",
			func(t *testing.T) { startSidecar(t, agentAddr) },
			nil,
			[]string{`hint="Istio's agent is up, and its Envoy does not run yet, or crashes`, "kubectl logs POD -c istio-proxy", docs("the-sidecar-is-not-ready")},
		},
		{
			"Envoy waits for what its clusters need", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				answer(t, "127.0.0.1:15000", status(200, "cluster_manager.cds.update_success: 1\n"))
			},
			nil,
			[]string{`hint="Envoy has accepted configuration from istiod, and is still initializing`, docs("the-sidecar-is-not-ready")},
		},
		{
			"Envoy has all of its configuration, and waits for certificates", "",
			func(t *testing.T) {
				startSidecar(t, agentAddr)
				answer(t, "127.0.0.1:15000", status(200, "cluster_manager.cds.update_success: 1\nlistener_manager.lds.update_success: 1\n"))
			},
			nil,
			[]string{`hint="Envoy has accepted configuration from istiod, and is still initializing`, "certificates", docs("the-sidecar-is-not-ready")},
		},
		{
			"what has the port of Envoy's health listener does not answer", "",
			func(t *testing.T) { listenOn(t, healthAddr) },
			nil,
			[]string{`hint="The proxy is up, and its status port is another or disabled`, "status.sidecar.istio.io/port", "http://localhost:15021/healthz/ready", "http://localhost:15000/ready", docs("the-status-port-has-moved")},
		},
		{
			"the status port has moved", "",
			func(t *testing.T) { answer(t, healthAddr, status(200, "")) },
			nil,
			[]string{`hint="The proxy is ready, and the annotation status.sidecar.istio.io/port has moved its status port: write http://localhost:15021/healthz/ready instead of istio"`, docs("the-status-port-has-moved")},
		},
		{
			"there is no status port", "",
			func(t *testing.T) { answer(t, healthAddr, status(503, "")) },
			nil,
			[]string{`hint="The proxy is up, and http://localhost:15021/healthz/ready answers 503, as it always does where the annotation status.sidecar.istio.io/port is 0: then write http://localhost:15000/ready instead of istio`, docs("the-status-port-has-moved")},
		},
		{
			"there is no status port to shut it down at", "",
			func(t *testing.T) { answer(t, healthAddr, status(503, "")) },
			[]string{"WAIT_FOR=none", "QUIT=istio"},
			[]string{"event=quit_rejected", "with 0 http://localhost:15000/quitquitquit", docs("a-job-does-not-end")},
		},
		{
			"an init container before istio-init", outbound, nil,
			[]string{injectedStatus},
			[]string{
				`hint="istio was injected, and does not listen yet: see kubectl describe pod`, "In an init container it never will: the kubelet starts a classic sidecar after all init containers",
				docs("an-init-container-that-waits"),
			},
		},
		{
			"Linkerd's shutdown endpoint is off", "",
			func(t *testing.T) { answer(t, "127.0.0.1:4191", status(404, "shutdown endpoint is not enabled\n")) },
			[]string{"WAIT_FOR=none", "QUIT=linkerd"},
			[]string{"linkerd did not accept the shutdown request", `answer="POST http://localhost:4191/shutdown: status 404: \"shutdown endpoint is not enabled\""`, "event=quit_rejected", "off since 2.16: set proxy.enableShutdownEndpoint", docs("a-job-does-not-end")},
		},
		{
			"Dapr on the path that waits for the application", "",
			func(t *testing.T) { answer(t, "127.0.0.1:3500", status(500, `{"errorCode":"ERR_HEALTH_NOT_READY"}`)) },
			[]string{"WAIT_FOR=http://localhost:3500/v1.0/healthz"},
			[]string{"status 500", `hint="This path of Dapr waits for the application, which waits for it: write dapr instead`, docs("the-sidecar-is-not-ready")},
		},
		{
			"a secret that is never rendered", "", nil,
			[]string{"WAIT_FOR=file:///vault/secrets/db"},
			[]string{`it does not exist"`, `hint="The directory /vault does not exist: is the volume mounted here, and has the container that fills it done so?"`, docs("the-file-does-not-appear")},
		},
		{
			"a file that is never written", "", nil,
			[]string{"WAIT_FOR=file:///tmp/missing"},
			[]string{`it does not exist"`, `hint="What writes this file has not done so`, "is the volume mounted in both containers?", docs("the-file-does-not-appear")},
		},
		{
			"a file that is empty for ever", "", nil,
			[]string{"WAIT_FOR=file:///dev/null"},
			[]string{`it is empty"`, `hint="The file is there, and what writes it has not finished or failed`, "If the file is to be empty, write #empty after its URL", docs("the-file-does-not-appear")},
		},
		{
			"name resolution is down", "", nil,
			[]string{"WAIT_FOR=redis://cache.default.svc.cluster.local"},
			[]string{"cannot resolve cache.default.svc.cluster.local: ", `hint="Names cannot be resolved: check the name, /etc/resolv.conf and the cluster's DNS`, docs("a-name-is-not-resolved")},
		},
		{
			"a dependency that refuses behind a ready mesh", outbound,
			func(t *testing.T) { startReady(t, agentAddr) },
			[]string{"WAIT_FOR=istio,redis://10.255.255.1"},
			[]string{"redis://10.255.255.1 not ready after", `hint="Nothing listens there: is it running, and is the port right?"`, docs("connection-refused-while-waiting")},
		},
		{
			"a page that a web server does not have", "",
			func(t *testing.T) { answer(t, dropped, status(404, "")) },
			[]string{"WAIT_FOR=http://" + dropped + "/up"},
			[]string{"status 404", `hint="The server answers with another status: is the path right? To take 404 as ready, write #status=404 after the URL"`, docs("the-server-is-not-ready")},
		},
		{
			"a dependency that speaks TLS", "",
			func(t *testing.T) { serveTLS(t, dropped) },
			[]string{"WAIT_FOR=redis://" + dropped},
			[]string{"not ready after", `hint="The server speaks TLS: write rediss://"`, docs("the-server-speaks-tls")},
		},
		{
			"a web server that speaks TLS", "",
			func(t *testing.T) { serveTLS(t, dropped) },
			[]string{"WAIT_FOR=http://" + dropped + "/up"},
			[]string{"status 400", `hint="The server speaks TLS: write https://"`, docs("the-server-speaks-tls")},
		},
		{
			"a dependency that is down, and the proxy accepts in its place", "",
			func(t *testing.T) {
				startReady(t, agentAddr)
				startSidecar(t, dropped) // which does not understand what it is asked, and hangs up
			},
			[]string{"WAIT_FOR=istio,redis://" + dropped},
			[]string{"not ready after", "closed without an answer", `hint="The connection is accepted and comes to nothing: in a mesh the proxy accepts it in the server's place`, docs("accepted-and-closed")},
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
	p.untilLog("elapsed=10s ")
	for _, at := range []string{"1s", "2s", "5s"} {
		p.logHas("event=still_waiting target=file:///missing answer=\"look at file:///missing: it does not exist\" elapsed=" + at + "\n") // and no hint
	}
	p.logHas(`elapsed=10s hint="What writes this file has not done so`)
}

// Outside of a pod there is no sidecar. A laptop once waited for five minutes, with a hint
// about injection after ten seconds.
func TestHintNotInAPod(t *testing.T) {
	needRoot(t)
	need(t, "ip", "iptables")
	const here = `elapsed=1s hint="This is not a pod: KUBERNETES_SERVICE_HOST is not set. On a laptop, in CI or with compose, set STARTGATE_WAIT_FOR=none"`
	for _, test := range []struct {
		name, setUp, target, env string
		found                    bool
	}{
		{"a laptop", outbound, "istio", "", true},
		{"a mesh that is named", outbound, "linkerd", "", true},
		{"a pod", outbound, "istio", inPod, false},
		{"redirected", redirect, "istio", "", false},
		{"a sidecar that no webhook injects", outbound, "cloudsql", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			enterNetwork(t)
			setUp(t, test.setUp)
			cmd := command([]string{"WAIT_FOR=" + test.target}, binary, "true")
			cmd.Env = append(slices.DeleteFunc(cmd.Env, func(entry string) bool { return entry == inPod }), test.env)
			p := start(t, cmd)
			p.untilLog("elapsed=1s")
			p.untilLog("elapsed=2s")
			if log := p.log.String(); strings.Contains(log, here+" "+docs("not-in-a-pod")) != test.found || !test.found && strings.Contains(log, "hint=") {
				p.Errorf("the hint is to be there: %t", test.found)
			}
			p.send(syscall.SIGTERM)
			p.ends(143)
		})
	}
}

// The kubelet may start a static pod before it has read the Services: the variable is not set
// then, and the file of the termination message is there all the same.
func TestHintInAStaticPod(t *testing.T) {
	needRoot(t)
	need(t, "ip", "unshare", "mount")
	t.Parallel()
	enterNetwork(t)
	setUp(t, outbound)
	script := inContainer + `unset KUBERNETES_SERVICE_HOST; exec "$1" -- true`
	p := start(t, command([]string{"WAIT_FOR=istio"}, "unshare", "--mount", "sh", "-c", script, "sh", binary))
	p.untilLog("elapsed=2s")
	if log := p.log.String(); strings.Contains(log, "not a pod") {
		t.Errorf("a pod gets the hint that it is none:\n%s", log)
	}
	p.send(syscall.SIGTERM)
	p.ends(143)
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

// The kernel says what is wrong with a path, and not with which part of it. The hint once was
// that the file's writer is late, or none.
func TestHintsOfPaths(t *testing.T) {
	needRoot(t)
	need(t, "setpriv")
	t.Parallel()
	dir, err := os.MkdirTemp("", "") // which another user may look into
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"sh file", "dir closed", "sh closed/app", "link loop loop", "link dangling none/app", "link inside closed/app", "link through file/x"} {
		if err := makeFile(dir, file); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir+"/closed", 0o700); err != nil {
		t.Fatal(err)
	}
	const fill = " does not exist: is the volume mounted here, and has the container that fills it done so?"
	for _, test := range []struct{ path, fault, says string }{
		{"/file/x", "not a directory", "DIR/file is not a directory"},
		{"/file/x/y", "not a directory", "DIR/file is not a directory"},
		{"/loop", "too many levels of symbolic links", "DIR/loop is a symbolic link that leads back to itself"},
		{"/loop/x", "too many levels of symbolic links", "DIR/loop is a symbolic link that leads back to itself"},
		{"/dangling", "exist|no such file or directory", "DIR/dangling is a symbolic link to none/app, which does not exist"},
		{"/none/sub/app", "exist|no such file or directory", "The directory DIR/none" + fill},
		{"/" + strings.Repeat("n", 300), "file name too long", "This path is too long for the kernel: it takes 255 bytes between two slashes, and 4095 in all"},
		{"/closed/app", "permission denied", "This user may not look into DIR/closed: see its owner and mode, and the pod's fsGroup"},
		{"/inside", "permission denied", "DIR/inside is a symbolic link to closed/app: permission denied"},
		{"/through", "not a directory", "DIR/through is a symbolic link to file/x: not a directory"},
	} {
		for _, what := range []string{"", "file://", "unix://"} {
			if what == "unix://" && len(test.path) > 100 {
				continue // no address of a socket
			}
			t.Run(what+test.path[:min(len(test.path), 20)], func(t *testing.T) {
				settings, program := []string{"WAIT_FOR=none"}, dir+test.path
				if what != "" {
					settings, program = []string{"WAIT_FOR=" + what + dir + test.path, "TIMEOUT=300ms"}, "true"
				}
				p := runToEnd(t, command(settings, words(asNobody, binary, "--", program)...))
				last := p.log.String()
				last = last[strings.LastIndex(strings.TrimSpace(last), "\n")+1:]
				want := fmt.Sprintf("hint=%q docs=", strings.ReplaceAll(test.says, "DIR", dir))
				if !regexp.MustCompile(test.fault).MatchString(last) || !strings.Contains(last, want) || strings.Contains(last, "chmod") {
					p.Errorf("it does not say %q and %q, or that the file's mode is wrong", test.fault, want)
				}
			})
		}
	}
}

// Who copies the program may still have it open.
func TestHintOfABusyProgram(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/app"
	open, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	p := runToEnd(t, command([]string{"WAIT_FOR=none"}, binary, "--", file))
	p.ends(126)
	p.logHas("text file busy", `hint="Something has the file open for writing`, docs("code-126-or-127"))
}

// What was meant for another place than the one where it stands is in no output either. A
// command with an assignment in it was once shown whole, and again in its hint.
func TestSecretsInWrongPlaces(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	t.Parallel()
	for _, test := range []struct {
		settings []string
		args     []string
		says     string
	}{
		{nil, []string{"--", "PGPASSWORD=s3cr3t psql"}, "cannot run PGPASSWORD=***: not found"},
		{nil, []string{"--", "PGPASSWORD='s3cr3t 2' psql"}, "To run a command of the shell"},
		{nil, []string{"PGPASSWORD=s3cr3t", "psql"}, "cannot run PGPASSWORD=***: not found"},
		{nil, []string{"--", "psql postgres://u:s3cr3t@db/x"}, "To start psql with arguments"},
		{nil, []string{"--", "/bin/psql --password=s3cr3t"}, "To start /bin/psql with arguments"},
		{nil, []string{"--", `curl -H "Authorization: Bearer s3cr3t"`}, "To run a command of the shell"},
		{nil, []string{"--", "postgres://u:s3cr3t@db/x", "true"}, "Targets to wait for are in"},
		{nil, []string{"--", "/etc/passwd/u:s3cr3t@db"}, "cannot run /etc/passwd/u:***: not a directory"},
		{nil, []string{"--", "/dev/u:s3cr3t@db/x"}, "startgate looks again"},
		{nil, []string{"--", "-ps3cr3t"}, "cannot run -p***: not found"},
		{nil, []string{"-ps3cr3t"}, "unknown flag -p***"},
		{nil, []string{"--password=s3cr3t"}, "unknown flag --password"},
		{nil, []string{"--timeout=s3cr3t", "true"}, "set STARTGATE_TIMEOUT"},
		{nil, []string{"--wait", "PGPASSWORD=s3cr3t"}, "--wait takes no program"},
		{nil, []string{"--wait", "psql s3cr3t"}, "--wait takes no program"},
		{nil, []string{"--check", "s3cr3t"}, "--check takes nothing but --now"},
		{nil, []string{"--install", "redis://u:s3cr3t@db/x"}, "cannot install redis:"},
		{nil, []string{"--", "true", "s3cr3t", "--password=s3cr3t"}, "starting true"},
		{[]string{"SUPERVISE=true"}, []string{"--", "true", "s3cr3t"}, "true exited"},
		{[]string{"TIMEOUT=redis://:s3cr3t@cache"}, []string{"true"}, "STARTGATE_TIMEOUT: not a duration"},
		{[]string{"LOG_LEVEL=LEVEL=s3cr3t"}, []string{"true"}, "STARTGATE_LOG_LEVEL: write debug"},
		{[]string{"SUPERVISE=u:s3cr3t"}, []string{"true"}, "STARTGATE_SUPERVISE: write true"},
		{[]string{"WAIT_FOR=file:///dev/null", "TIMEOUT=500ms"}, []string{"true", "s3cr3t"}, "cannot start true"},
		{[]string{"WAIT_FOR=file:///missing", "TIMEOUT=500ms"}, []string{"/dev/u:s3cr3t@db/x"}, "cannot start /dev/u:***: file"},
	} {
		for _, format := range []string{"text", "json"} {
			settings := append([]string{"WAIT_FOR=none", "LOG_FORMAT=" + format, "LOG_LEVEL=debug"}, test.settings...)
			script := inContainer + `"$@"; cat /dev/termination-log`
			p := runToEnd(t, command(settings, words("unshare", "--mount", "sh", "-c", script, "sh", binary, test.args)...))
			said := p.out.String() + p.log.String()
			if strings.Contains(said, "s3cr3t") || !strings.Contains(said, test.says) {
				p.Errorf("%q %q: the secret is in what it says, or not %q", test.settings, test.args, test.says)
			}
		}
	}
}
