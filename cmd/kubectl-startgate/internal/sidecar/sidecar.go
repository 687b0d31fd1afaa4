// Package sidecar knows the sidecars by the names and images of their containers, and by what
// they log.
package sidecar

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Kind is a kind of sidecar.
type Kind struct {
	Name       string   // as startgate calls it
	Mesh       bool     // outbound traffic is redirected to it
	Containers []string // what its container is called
	Images     []string // or what is in the name of its image
	Ready      []string // lines that it logs when it is ready
	NotReady   []string // lines that it logs while it is not
	Ending     []string // lines that it logs when it shuts down
	Injected   string   // the field path that its webhook sets
}

// envoyReady is what an Envoy logs when it has its configuration and listens.
const envoyReady = "all dependencies initialized. starting workers"

// Kinds are all that are known.
var Kinds = []Kind{
	{
		Name: "istio", Mesh: true, Containers: []string{"istio-proxy"}, Images: []string{"istio/proxyv2"},
		Ready:    []string{"Envoy proxy is ready"},
		NotReady: []string{"Envoy proxy is NOT ready"},
		Ending:   []string{"Agent draining Proxy", "Graceful termination period is", "Status server has successfully terminated"},
		Injected: "metadata.annotations['sidecar.istio.io/status']",
	},
	{
		Name: "linkerd", Mesh: true, Containers: []string{"linkerd-proxy"}, Images: []string{"linkerd/proxy", "linkerd-io/proxy"},
		Ready:    []string{"Certified identity"},
		NotReady: []string{"Failed to certify identity", "Waiting for identity to be initialized"},
		Ending:   []string{"received SIGTERM, starting shutdown", "Received shutdown signal"},
		Injected: "metadata.annotations['linkerd.io/proxy-version']",
	},
	{
		Name: "consul", Mesh: true, Containers: []string{"consul-dataplane"}, Images: []string{"consul-dataplane"},
		Ready:    []string{envoyReady},
		NotReady: []string{"server-connection-manager: connection error", "no healthy upstream for consul-dataplane"},
		Ending:   []string{"initiating shutdown"},
		Injected: "metadata.annotations['consul.hashicorp.com/connect-inject-status']",
	},
	{
		Name: "kuma", Mesh: true, Containers: []string{"kuma-sidecar"}, Images: []string{"kuma-dp"},
		Ready:    []string{envoyReady},
		NotReady: []string{"trying to fetch bootstrap configuration from the Control Plane", "could not fetch bootstrap configuration"},
		Ending:   []string{"stopping Envoy", "starting graceful shutdown"},
		Injected: "metadata.annotations['kuma.io/sidecar-injected']",
	},
	{
		Name: "dapr", Containers: []string{"daprd"}, Images: []string{"daprio/daprd", "daprio/dapr"},
		Ready:    []string{"dapr initialized. Status: Running"},
		NotReady: []string{"waiting on port", "waiting for application to listen on port"},
		Ending:   []string{"Dapr is shutting down", "dapr shutting down", "Received signal 'terminated'"},
		Injected: "metadata.labels['dapr.io/sidecar-injected']",
	},
	{
		Name: "cloudsql", Containers: []string{"cloud-sql-proxy", "cloudsql-proxy", "cloud-sql-auth-proxy"},
		Images:   []string{"cloud-sql-proxy", "cloudsql-docker/gce-proxy"},
		Ready:    []string{"ready for new connections", "Ready for new connections"},
		NotReady: []string{"The proxy has encountered a terminal error", "unable to start"},
		Ending:   []string{"SIGTERM signal received", "Received TERM signal", "Shutting down"},
	},
	{
		Name: "alloydb", Containers: []string{"alloydb-auth-proxy", "alloydb-proxy"}, Images: []string{"alloydb-auth-proxy"},
		Ready:    []string{"ready for new connections"},
		NotReady: []string{"The proxy has encountered a terminal error", "unable to start"},
		Ending:   []string{"SIGTERM signal received", "Shutting down"},
	},
	{
		Name: "vault", Containers: []string{"vault-agent"},
		Ready:    []string{"(runner) rendered", "authentication successful, sending token to sinks"},
		NotReady: []string{"error authenticating"},
		Ending:   []string{"Vault agent shutdown triggered", "stopping auth handler"},
	},
}

// Of returns the kind of a container, or nil if it is no known sidecar.
func Of(name, image string) *Kind {
	for i, kind := range Kinds {
		for _, known := range kind.Containers {
			if name == known {
				return &Kinds[i]
			}
		}
	}
	for i, kind := range Kinds {
		for _, known := range kind.Images {
			if strings.Contains(image, known) {
				return &Kinds[i]
			}
		}
	}
	return nil
}

// Container is a container of a pod and what part it has.
type Container struct {
	Name   string
	Spec   *corev1.Container       // nil if the pod is gone
	Status *corev1.ContainerStatus // nil if it has none yet
	Kind   *Kind                   // nil for an application
	Init   bool                    // it runs, and ends, before the containers
	Native bool                    // a sidecar among the init containers
	Place  int                     // in the order in which the kubelet starts init containers, then containers
}

// IsApp reports whether it is an application: no sidecar, and nothing that only prepares.
func (c Container) IsApp() bool { return c.Kind == nil && !c.Init && !c.Native }

// IsGated reports whether the manifest of a container has startgate before its application. One whose image has it as
// ENTRYPOINT is known by startgate's settings, if it has some.
func (c Container) IsGated() bool {
	if c.Spec == nil {
		return false
	}
	isStartgate := func(arg string) bool { return arg == "startgate" || strings.HasSuffix(arg, "/startgate") }
	isSetting := func(env corev1.EnvVar) bool { return strings.HasPrefix(env.Name, "STARTGATE_") }
	return slices.ContainsFunc(c.Spec.Command, isStartgate) || slices.ContainsFunc(c.Spec.Args, isStartgate) ||
		len(c.Spec.Command) == 0 && slices.ContainsFunc(c.Spec.Env, isSetting)
}

// Containers returns the containers of a pod, in the order in which the kubelet starts them.
func Containers(pod *corev1.Pod) (all []Container) {
	for i := range pod.Spec.InitContainers {
		c := container(&pod.Spec.InitContainers[i], pod.Status.InitContainerStatuses, len(all))
		c.Native = c.Spec.RestartPolicy != nil && *c.Spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
		c.Init = !c.Native
		if c.Init {
			c.Kind = nil // an image of Istio's prepares the redirect
		}
		all = append(all, c)
	}
	for i := range pod.Spec.Containers {
		all = append(all, container(&pod.Spec.Containers[i], pod.Status.ContainerStatuses, len(all)))
	}
	return all
}

func container(spec *corev1.Container, statuses []corev1.ContainerStatus, place int) Container {
	c := Container{Name: spec.Name, Spec: spec, Kind: Of(spec.Name, spec.Image), Place: place}
	for i := range statuses {
		if statuses[i].Name == spec.Name {
			c.Status = &statuses[i]
		}
	}
	return c
}

// Named returns the containers of a pod that is gone, by their names alone.
func Named(names []string) (all []Container) {
	for i, name := range names {
		c := Container{Name: name, Kind: Of(name, ""), Place: i}
		c.Init = name == "istio-init" || name == "istio-validation" || name == "linkerd-init" || strings.HasSuffix(name, "-init")
		all = append(all, c)
	}
	return all
}
