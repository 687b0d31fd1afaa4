package cure

import (
	"encoding/json"

	"sigs.k8s.io/yaml"
)

// istioConfig is the annotation with a pod's own proxy configuration.
const istioConfig = "proxy.istio.io/config"

// annotate returns a patch that sets annotations of the pods.
func (w Workload) annotate(annotations map[string]string) *Patch {
	return w.patch(object{"metadata": object{"annotations": annotations}})
}

// withConfig returns Istio's annotation with one more setting.
func withConfig(old, key string, value any) map[string]string {
	config := map[string]any{}
	if yaml.Unmarshal([]byte(old), &config) != nil || config == nil {
		config = map[string]any{}
	}
	config[key] = value
	text, err := json.Marshal(config)
	if err != nil {
		return nil
	}
	return map[string]string{istioConfig: string(text)}
}

// Hold makes the mesh hold the application until its proxy is ready. config is the pod's own Istio configuration.
// It returns nil for meshes that have no such setting.
func Hold(w Workload, mesh, config string) *Cure {
	c := Cure{ID: "hold", Title: "let the mesh hold the application"}
	switch mesh {
	case "istio":
		c.Text = "One annotation. It holds for a minute at most; then the application starts all the same. It moves istio-proxy to the first place, which exec and logs take by default."
		c.Patch = w.annotate(withConfig(config, "holdApplicationUntilProxyStarts", true))
	case "linkerd":
		c.Text = "One annotation, which is the default of Linkerd. It holds for two minutes at most."
		c.Patch = w.annotate(map[string]string{"config.linkerd.io/proxy-await": "enabled"})
	case "kuma":
		c.Text = "One annotation. It holds for three minutes at most."
		c.Patch = w.annotate(map[string]string{"kuma.io/wait-for-dataplane-ready": "true"})
	default:
		return nil
	}
	return &c
}

// Native makes the sidecar a native one, which the kubelet starts first and waits for.
func Native(w Workload, kind, container string) Cure {
	c := Cure{ID: "native", Title: "make it a native sidecar", Text: "The kubelet then waits for its startupProbe, and stops it after the application. It takes Kubernetes 1.29."}
	switch kind {
	case "istio":
		c.Text += " And Istio 1.27, or an older one with ENABLE_NATIVE_SIDECARS."
		c.Patch = w.annotate(map[string]string{"sidecar.istio.io/nativeSidecar": "true"})
	case "linkerd":
		c.Text += " And Linkerd 2.15."
		c.Patch = w.annotate(map[string]string{"config.alpha.linkerd.io/proxy-enable-native-sidecar": "true"})
	default:
		c.ID = ""
		c.Text += " In the manifest, move " + container + " to initContainers with restartPolicy: Always and a startupProbe."
	}
	return c
}

// Drain lets Istio's proxy outlive the application.
func Drain(w Workload, config string) Cure {
	return Cure{
		ID: "drain", Title: "let the proxy outlive the application",
		Text:  "One annotation: the proxy goes on for 20 s after TERM. terminationGracePeriodSeconds must be longer.",
		Patch: w.annotate(withConfig(config, "terminationDrainDuration", "20s")),
	}
}

// ExcludeAddress takes an address out of Istio's redirect.
func ExcludeAddress(w Workload, address string) Cure {
	return Cure{
		ID: "exclude", Title: "take the address out of the redirect",
		Text:  "One annotation. All traffic of the pod to this address then passes by mTLS, policy and telemetry, and the address must stay.",
		Patch: w.annotate(map[string]string{"traffic.sidecar.istio.io/excludeOutboundIPRanges": address}),
	}
}

// NoInitAgent makes Vault's agent run as a sidecar only.
func NoInitAgent(w Workload) Cure {
	return Cure{
		ID: "no-init-agent", Title: "run Vault's agent as a sidecar only",
		Text:  "One annotation. The application must then wait for the file: put startgate before it with STARTGATE_WAIT_FOR=istio,file:///vault/secrets/NAME.",
		Patch: w.annotate(map[string]string{"vault.hashicorp.com/agent-pre-populate": "false"}),
	}
}
