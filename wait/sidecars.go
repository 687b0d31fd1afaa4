package wait

import "slices"

// Sidecar describes one kind of sidecar.
type Sidecar struct {
	Name string // as Parse takes it
	Mesh bool   // whether it carries the traffic of the pod, including that of other sidecars

	// Containers holds what its containers and programs are called. Parse does not take these
	// names, but its error says to write Name.
	Containers []string

	// Ready holds the URLs that say whether it is ready, as Parse takes them. The first
	// one that does not refuse decides. Empty when there is nothing to wait for.
	Ready      []string
	EarlyKnock string // a host:port that refuses until shortly before it is ready; may be empty
	LogsProbes bool   // whether it logs each probe that fails, and so is asked seldom while EarlyKnock refuses
	Quit       string // the URL that shuts it down when it gets a POST
	Token      string // "Header:VARIABLE" if that POST requires a token; may be empty

	// Injected is the field of a pod, as the downward API takes it, that the webhook which
	// injects the sidecar sets. Empty for a sidecar that is written into the manifest by hand.
	Injected string

	Note         string // what the user should know about it
	RefusedHint  string // why nothing may be listening where it is looked for, although the sidecar is there
	NotReadyHint string // why it may answer but not become ready
	QuitHint     string // why it may not accept the shutdown request
}

// sidecars holds all sidecars that are known by name.
var sidecars = []Sidecar{
	{
		// istio/istio: pilot/cmd/pilot-agent/status/server.go; envoyproxy/envoy: source/common/listener_manager/listener_impl.cc
		Name:       "istio",
		Mesh:       true,
		Containers: []string{"istio-proxy", "istio-init", "istio-validation", "istio-agent", "pilot-agent", "proxyv2", "asm"},
		Ready:      []string{"http://localhost:15020/healthz/ready"},
		EarlyKnock: "localhost:15021", // Envoy listens there immediately before its workers start
		LogsProbes: true,
		Quit:       "http://localhost:15020/quitquitquit",
		Injected:   "metadata.annotations['sidecar.istio.io/status']",
		Note:       "Also Anthos Service Mesh. It quits at once from Istio 1.26 on, and drains for 5s before.",
		RefusedHint: "The annotation status.sidecar.istio.io/port may have moved port 15020, which " +
			"http://localhost:15021/healthz/ready follows, or with 0 disabled it: then there is http://localhost:15000/ready",
		NotReadyHint: "Istio's agent is up, and its Envoy is not ready; " +
			"the reason is in kubectl logs POD -c istio-proxy | grep 'NOT ready'",
		QuitHint: "Istio's agent takes a POST from loopback only, at the port of the annotation status.sidecar.istio.io/port: " +
			"write http://localhost:PORT/quitquitquit; with 0 http://localhost:15000/quitquitquit",
	},
	{
		// linkerd/linkerd2-proxy: linkerd/app/admin/src/server.rs
		Name:         "linkerd",
		Mesh:         true,
		Containers:   []string{"linkerd-proxy", "linkerd-init", "linkerd2", "linkerd2-proxy"},
		Ready:        []string{"http://localhost:4191/ready"},
		Quit:         "http://localhost:4191/shutdown",
		Injected:     "metadata.annotations['linkerd.io/proxy-version']",
		Note:         "Its shutdown endpoint is off since Linkerd 2.16 unless proxy.enableShutdownEndpoint is set. It drains.",
		RefusedHint:  "The annotation config.linkerd.io/admin-port may have moved port 4191",
		NotReadyHint: "Linkerd's proxy is up, and waits for its identity: can it reach linkerd-identity?",
		QuitHint: "Linkerd's shutdown endpoint is off since 2.16: set proxy.enableShutdownEndpoint, or the annotation " +
			"config.linkerd.io/proxy-admin-shutdown: enabled on the pod",
	},
	{
		// hashicorp/consul-dataplane: pkg/consuldp/lifecycle.go; hashicorp/consul-k8s: control-plane/connect-inject/webhook/consul_dataplane_sidecar.go
		Name:         "consul",
		Mesh:         true,
		Containers:   []string{"consul-dataplane", "consul-connect", "consul-connect-inject-init", "envoy-sidecar"},
		Ready:        []string{"http://localhost:19000/ready"},
		Quit:         "http://localhost:20600/graceful_shutdown",
		Injected:     "metadata.annotations['consul.hashicorp.com/connect-inject-status']",
		Note:         "Ports as consul-k8s sets them; in a pod with several services each has a port of its own. It drains for its grace period.",
		RefusedHint:  "The port that consul-dataplane has from -envoy-admin-bind-port (19000 and up) may be another",
		NotReadyHint: "Envoy is up without configuration: are the Consul servers reachable, and is the service registered?",
		QuitHint:     "consul-k8s sets port 20600; consul-dataplane's own is another, given with -graceful-port",
	},
	{
		// kumahq/kuma: app/kuma-dp/pkg/dataplane/readiness/component.go, UPGRADE.md
		Name:       "kuma",
		Mesh:       true,
		Containers: []string{"kuma-sidecar", "kuma-init", "kuma-dp", "kong-mesh"},
		// Up to 2.13, Envoy's port 9901 is right and 9902 says READY too early, when 9901
		// may still refuse. From 2.14 on there is only 9902, which passes on Envoy's LIVE.
		Ready:        []string{"http://localhost:9901/ready", "http://localhost:9902/ready#body=LIVE"},
		EarlyKnock:   "localhost:9901",
		Quit:         "http://localhost:9901/quitquitquit",
		Injected:     "metadata.annotations['kuma.io/sidecar-injected']",
		Note:         "From Kuma 2.14 on it cannot be shut down: use native sidecars.",
		RefusedHint:  "The ports of kuma-sidecar (9901 up to 2.13, 9902 from 2.14 on) may be others",
		NotReadyHint: "kuma-dp is up, and its Envoy has no configuration yet: is the control plane reachable?",
		QuitHint:     "Kuma's sidecar cannot be shut down from 2.14 on, where Envoy's admin port is a Unix socket: use native sidecars",
	},
	{
		// dapr/dapr: pkg/api/http/healthz.go, shutdown.go; docs.dapr.io, health and shutdown API
		Name:         "dapr",
		Containers:   []string{"daprd", "dapr-sidecar"},
		Ready:        []string{"http://localhost:3500/v1.0/healthz/outbound#status=204"},
		Quit:         "http://localhost:3500/v1.0/shutdown",
		Token:        "dapr-api-token:DAPR_API_TOKEN",
		Injected:     "metadata.labels['dapr.io/sidecar-injected']",
		Note:         "Its /v1.0/healthz waits for the application, so waiting for that never ends.",
		RefusedHint:  "daprd may listen on a Unix socket only",
		NotReadyHint: "daprd is up, and a component of it is not: see its log",
		QuitHint:     "daprd wants its API token (DAPR_API_TOKEN in this container), or its Configuration does not allow shutdown",
	},
	googleProxy("cloudsql", "Cloud SQL Auth Proxy", "cloud-sql-proxy", "cloud-sql-auth-proxy", "cloudsql-proxy", "cloudsql-auth-proxy", "cloud-sql", "gce-proxy"),
	googleProxy("alloydb", "AlloyDB Auth Proxy", "alloydb-auth-proxy", "alloydb-proxy"),
	{
		// hashicorp/vault: command/agent.go
		Name:       "vault",
		Containers: []string{"vault-agent", "vault-agent-init"},
		Quit:       "http://localhost:8200/agent/v1/quit",
		Note:       "It has no ready endpoint: wait for the file that the agent renders, such as file:///vault/secrets/NAME",
		QuitHint:   "The Vault agent wants agent_api { enable_quit = true } in its listener: with the injector, the annotation vault.hashicorp.com/agent-enable-quit: \"true\"",
	},
}

// googleProxy returns one of the two proxies to Google's databases. They behave alike
// (GoogleCloudPlatform/cloud-sql-proxy and alloydb-auth-proxy: cmd/root.go,
// internal/healthcheck).
func googleProxy(name, title string, containers ...string) Sidecar {
	return Sidecar{
		Name:         name,
		Containers:   containers,
		Ready:        []string{"http://localhost:9090/startup"},
		Quit:         "http://localhost:9091/quitquitquit",
		Note:         "The " + title + " answers only when it is started with --health-check and --quitquitquit.",
		RefusedHint:  "Start the " + title + " with --health-check (and see whether --http-port moved 9090)",
		NotReadyHint: "The " + title + " is up and has not started to serve, or something else has port 9090: see its log",
		QuitHint:     "Start the " + title + " with --quitquitquit (and see whether --admin-port moved 9091)",
	}
}

// Sidecars returns the sidecars that [Parse] and [ParseQuit] know by name. The caller may
// change what it gets.
func Sidecars() []Sidecar {
	table := make([]Sidecar, len(sidecars))
	for i, s := range sidecars {
		table[i] = s.clone()
	}
	return table
}

func (s Sidecar) clone() Sidecar {
	s.Ready, s.Containers = slices.Clone(s.Ready), slices.Clone(s.Containers)
	return s
}
