package wait

// This file covers the table of sidecars, with the answers that each of them gives.

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The code can use every row of the table, and a user can read it.
func TestSidecarsTable(t *testing.T) {
	names, containers := map[string]bool{}, map[string]bool{}
	for _, s := range Sidecars() {
		for _, container := range s.Containers {
			if containers[container] || sidecarNamed(container) != nil || container != strings.ReplaceAll(strings.ToLower(container), "_", "-") {
				t.Errorf("%s: container %q", s.Name, container)
			}
			containers[container] = true
			if _, err := ParseQuit(container, nil); err == nil || !strings.HasSuffix(err.Error(), "did you mean "+s.Name+"?") {
				t.Errorf("%s: %v", container, err)
			}
		}
		if s.Name == "" || names[s.Name] || strings.ToLower(s.Name) != s.Name {
			t.Errorf("name %q", s.Name)
		}
		names[s.Name] = true
		for _, ready := range s.Ready {
			target := mustParse(t, ready)
			if len(target.Knock) == 0 || !strings.HasPrefix(ready, "http://localhost:") {
				t.Errorf("%s: %s is not on loopback", s.Name, ready)
			}
		}
		if quit, err := url.Parse(s.Quit); err != nil || quit.Scheme != "http" || !isLoopback(quit.Hostname()) || quit.Port() == "" || quit.Path == "" {
			t.Errorf("%s: quit URL %q, %v", s.Name, s.Quit, err)
		}
		if _, port, err := net.SplitHostPort(s.EarlyKnock); s.EarlyKnock != "" && (err != nil || !isPort(port)) {
			t.Errorf("%s: knock address %q", s.Name, s.EarlyKnock)
		}
		texts := map[string]string{"note": s.Note, "quit": s.QuitHint}
		if len(s.Ready) > 0 {
			texts["refused"], texts["not ready"] = s.RefusedHint, s.NotReadyHint
		}
		if strings.Contains(s.RefusedHint, "injected") {
			t.Errorf("%s: whether it was injected is not the table's to say: %q", s.Name, s.RefusedHint)
		}
		for name, text := range texts {
			if text == "" || text != printable(text) {
				t.Errorf("%s: %s is %q", s.Name, name, text)
			}
		}
	}
	want := []string{"alloydb", "cloudsql", "consul", "dapr", "istio", "kuma", "linkerd", "vault"}
	if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
		t.Errorf("sidecars are %q, want %q", got, want)
	}
}

// A change of what Sidecars or Parse returns does not change the table.
func TestSidecarsAreCopies(t *testing.T) {
	for _, change := range []*Sidecar{&Sidecars()[0], mustParse(t, "istio").Sidecar} {
		change.Name, change.Ready[0], change.Containers[0] = "mine", "http://localhost:1/", "mine"
		if s := Sidecars()[0]; s.Name == "mine" || s.Ready[0] == "http://localhost:1/" || s.Containers[0] == "mine" {
			t.Errorf("the table is now %+v", s)
		}
	}
	if answer := probe(t, mustParse(t, "istio")); !strings.HasPrefix(answer.Detail, "GET http://localhost:15020/") {
		t.Errorf("now istio is asked so: %v", answer)
	}
}

// reply is a handler that answers GET on one path, and 404 on all others.
type reply struct {
	path   string
	status int
	body   string
}

func (s reply) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != s.path || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

// pod holds the servers of a pod by their address.
type pod map[string]reply

// run starts the servers of p, and returns a function that stops them.
func (p pod) run(t *testing.T) (stop func()) {
	t.Helper()
	var stops []func() error
	for addr, handler := range p {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: handler}
		go server.Serve(listener)
		stops = append(stops, server.Close, listener.Close) // Close does not know the listener before Serve has begun
	}
	return func() {
		for _, stop := range stops {
			_ = stop()
		}
	}
}

// The answers of each sidecar, as its source code gives them, and what they mean.
func TestSidecarsAnswers(t *testing.T) {
	if !inOwnNetwork(t, "") {
		return
	}
	needIPv6(t)
	const (
		istio, linkerd, envoy, dapr, google = "/healthz/ready", "/ready", "/ready", "/v1.0/healthz/outbound", "/startup"

		istioURL  = "GET http://localhost:15020/healthz/ready: "
		linkerdAt = "GET http://localhost:4191/ready: "
		consulURL = "GET http://localhost:19000/ready: "
		kumaEnvoy = "GET http://localhost:9901/ready: "
		kumaOwn   = "GET http://localhost:9902/ready: "
		daprURL   = "GET http://localhost:3500/v1.0/healthz/outbound: "
		googleURL = "GET http://localhost:9090/startup: "
	)
	type rows []struct {
		pod     pod
		outcome Outcome
		detail  string
	}
	googles := rows{
		{nil, Refused, googleURL + "connection refused"},
		{pod{"127.0.0.1:9090": {google, 503, "error"}}, NotReady, googleURL + `status 503: "error"`},
		{pod{"127.0.0.1:9090": {"/metrics", 200, "# HELP"}}, NotReady, googleURL + `status 404: "404 page not found"`},
		{pod{"127.0.0.1:9090": {google, 200, "ok"}}, Ready, googleURL + "status 200"},
	}
	for name, rows := range map[string]rows{
		"istio": {
			{nil, Refused, istioURL + "connection refused"},
			{pod{"[::]:15020": {istio, 503, ""}}, NotReady, istioURL + "status 503"},
			{pod{"[::]:15020": {istio, 200, ""}}, Ready, istioURL + "status 200"},
			{pod{"127.0.0.1:15020": {istio, 200, ""}}, Ready, istioURL + "status 200"},
			{pod{"[::1]:15020": {istio, 200, ""}}, Ready, istioURL + "status 200"},
			{pod{"127.0.0.1:15020": {"/", 200, ""}}, NotReady, istioURL + `status 404: "404 page not found"`},
			{pod{"127.0.0.1:15021": {istio, 200, ""}}, Refused, istioURL + "connection refused"},
		},
		"linkerd": {
			{nil, Refused, linkerdAt + "connection refused"},
			{pod{"[::]:4191": {linkerd, 503, "not ready\n"}}, NotReady, linkerdAt + `status 503: "not ready"`},
			{pod{"[::]:4191": {"/live", 200, "live\n"}}, NotReady, linkerdAt + `status 404: "404 page not found"`},
			{pod{"[::]:4191": {linkerd, 200, "ready\n"}}, Ready, linkerdAt + "status 200"},
			{pod{"0.0.0.0:4191": {linkerd, 200, "ready\n"}}, Ready, linkerdAt + "status 200"},
		},
		"consul": {
			{nil, Refused, consulURL + "connection refused"},
			{pod{"127.0.0.1:19000": {envoy, 503, "PRE_INITIALIZING\n"}}, NotReady, consulURL + `status 503: "PRE_INITIALIZING"`},
			{pod{"127.0.0.1:19000": {envoy, 503, "INITIALIZING\n"}}, NotReady, consulURL + `status 503: "INITIALIZING"`},
			{pod{"127.0.0.1:19000": {envoy, 503, "DRAINING\n"}}, NotReady, consulURL + `status 503: "DRAINING"`},
			{pod{"127.0.0.1:19000": {envoy, 200, "LIVE\n"}}, Ready, consulURL + "status 200"},
			// The startup hook of consul-dataplane says 200 too early, so it is not asked.
			{pod{"127.0.0.1:20600": {"/graceful_startup", 200, ""}}, Refused, consulURL + "connection refused"},
		},
		"kuma": {
			{nil, Refused, kumaEnvoy + "connection refused"},
			// Up to 2.13: kuma-dp answers READY before its Envoy is ready.
			{pod{"127.0.0.1:9902": {envoy, 200, "READY"}}, NotReady, kumaOwn + `status 200, and its body is not "LIVE"`},
			{pod{"127.0.0.1:9901": {envoy, 503, "INITIALIZING\n"}, "127.0.0.1:9902": {envoy, 200, "READY"}}, NotReady, kumaEnvoy + `status 503: "INITIALIZING"`},
			{pod{"127.0.0.1:9901": {envoy, 503, "INITIALIZING\n"}, "[::]:9902": {envoy, 200, "LIVE\n"}}, NotReady, kumaEnvoy + `status 503: "INITIALIZING"`},
			{pod{"127.0.0.1:9901": {envoy, 200, "LIVE\n"}, "127.0.0.1:9902": {envoy, 200, "READY"}}, Ready, kumaEnvoy + "status 200"},
			// From 2.14 on: kuma-dp passes on what Envoy answers.
			{pod{"[::]:9902": {envoy, 503, "NOT_READY"}}, NotReady, kumaOwn + `status 503: "NOT_READY"`},
			{pod{"[::]:9902": {envoy, 503, "envoy not ready\n"}}, NotReady, kumaOwn + `status 503: "envoy not ready"`},
			{pod{"[::]:9902": {envoy, 503, "TERMINATING"}}, NotReady, kumaOwn + `status 503: "TERMINATING"`},
			{pod{"[::]:9902": {envoy, 503, "PRE_INITIALIZING\n"}}, NotReady, kumaOwn + `status 503: "PRE_INITIALIZING"`},
			{pod{"[::]:9902": {envoy, 200, "LIVE\n"}}, Ready, kumaOwn + "status 200"},
		},
		"dapr": {
			{nil, Refused, daprURL + "connection refused"},
			{
				pod{"127.0.0.1:3500": {dapr, 500, `{"errorCode":"ERR_OUTBOUND_HEALTH_NOT_READY","message":"dapr outbound is not ready"}`}},
				NotReady,
				daprURL + `status 500: "{\"errorCode\":\"ERR_OUTBOUND_HEALTH_NOT_READY\",\"message\":\"dapr outbound is not ready\"}"`,
			},
			{pod{"127.0.0.1:3500": {dapr, 200, ""}}, NotReady, daprURL + "status 200"},
			{pod{"127.0.0.1:3500": {"/v1.0/healthz", 204, ""}}, NotReady, daprURL + `status 404: "404 page not found"`},
			{pod{"127.0.0.1:3500": {dapr, 204, ""}}, Ready, daprURL + "status 204"},
			{pod{"[::1]:3500": {dapr, 204, ""}}, Ready, daprURL + "status 204"},
		},
		"cloudsql": googles,
		"alloydb":  googles,
	} {
		for i, row := range rows {
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
				defer row.pod.run(t)()
				if got := probe(t, mustParse(t, name)); got.Outcome != row.outcome || got.Detail != row.detail {
					t.Errorf("%v %q, want %v %q", got.Outcome, got.Detail, row.outcome, row.detail)
				}
			})
		}
	}
}

// Of Kuma's two ports, the one that is to open is knocked at, whatever the other answers:
// it ends even the longest pause.
func TestKumaKnock(t *testing.T) {
	if !inOwnNetwork(t, "") {
		return
	}
	for _, test := range []struct {
		name    string
		before  pod // the first probe
		started pod // after the first knock in vain
	}{
		{"up to 2.13, Envoy comes up", pod{"127.0.0.1:9902": {"/ready", 200, "READY"}}, pod{"127.0.0.1:9901": {"/ready", 200, "LIVE\n"}}},
		{"up to 2.13, kuma-dp and Envoy come up", nil, pod{"127.0.0.1:9901": {"/ready", 200, "LIVE\n"}, "127.0.0.1:9902": {"/ready", 200, "READY"}}},
		{"from 2.14 on", nil, pod{"127.0.0.1:9902": {"/ready", 200, "LIVE\n"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer test.before.run(t)()
			stop := func() {}
			defer func() { stop() }()
			target := mustParse(t, "kuma")
			started := false
			for _, ports := range [][]Prober{target.Knock, target.EarlyKnock} {
				for i, port := range ports {
					ports[i] = ProbeFunc(func(ctx context.Context) Answer {
						answer := port.Probe(ctx)
						if answer.Outcome == Refused && !started {
							started = true
							stop = test.started.run(t)
						}
						return answer
					})
				}
			}
			var knocked []bool
			policy := Policy{Initial: time.Hour, Max: time.Hour, Observe: func(e Event) { knocked = append(knocked, e.Knocked) }}
			err := For(withTimeout(t, ample), target, policy)
			if err != nil || !slices.Equal(knocked, []bool{false, true}) {
				t.Errorf("%v, knocked %v", err, knocked)
			}
		})
	}
}

// Istio's Envoy listens on 15021 a moment before the agent says 200. The knock that notices
// it ends even the longest pause.
func TestIstioEarlyKnock(t *testing.T) {
	if !inOwnNetwork(t, "") {
		return
	}
	var started atomic.Bool
	serve(t, "127.0.0.1:15020", func(conn net.Conn) {
		status := unavailable
		if started.Load() {
			status = statusOK
		}
		says(status + "\r\n")(conn)
	})
	target := mustParse(t, "istio")
	early := target.EarlyKnock[0]
	target.EarlyKnock[0] = ProbeFunc(func(ctx context.Context) Answer {
		answer := early.Probe(ctx)
		if !started.Swap(true) {
			serve(t, "127.0.0.1:15021", hang)
		}
		return answer
	})
	var events []Event
	policy := Policy{Initial: time.Hour, Max: time.Hour, Observe: func(e Event) { events = append(events, e) }}
	err := For(withTimeout(t, time.Minute), target, policy)
	if err != nil || len(events) != 2 || events[0].Answer.Outcome != NotReady || !events[1].Knocked {
		t.Errorf("%v, after %+v", err, events)
	}
}
