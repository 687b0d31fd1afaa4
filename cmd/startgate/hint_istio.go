package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/startgate/startgate/wait"
)

// hintIstio is for Istio's agent that answers and is not ready. It does not say why;
// the counters of its Envoy do, and the agent looks at them itself.
func hintIstio(ctx context.Context, s waitState) hint {
	if !isIstio(s.target) || s.last.Outcome != wait.NotReady {
		return hint{}
	}
	if status := wait.StatusError(0); errors.As(s.last.Err, &status) && status != http.StatusServiceUnavailable {
		return hint{"Istio's agent answers 200 or 503: something else has its port, such as a program of the node in a pod with hostNetwork. " +
			"Set " + envWaitFor + "=none, or wait for what the application needs", anchorNotInjected}
	}
	text := s.target.Sidecar.NotReadyHint
	switch accepted, rejected, err := envoyUpdates(ctx); {
	case errors.Is(err, syscall.ECONNREFUSED):
		text = "Istio's agent is up, and its Envoy does not run yet, or crashes: see kubectl logs POD -c istio-proxy"
	case err != nil:
	case rejected > 0:
		text = "Envoy has rejected the configuration that istiod sent: see kubectl logs POD -c istio-proxy, and istioctl analyze"
	case accepted == 0:
		text = "The proxy has received no configuration: istiod is out of reach, or does not serve this pod. " +
			"See kubectl logs POD -c istio-proxy | grep 'NOT ready', and istioctl proxy-status"
	default:
		text = "Envoy has accepted configuration from istiod, and is still initializing: it waits for the endpoints or certificates of its clusters. " +
			"See kubectl logs POD -c istio-proxy, and istioctl proxy-status"
	}
	return hint{text, anchorNotReady}
}

// envoyHealth is where Envoy hands on the readiness of Istio's agent, wherever that listens.
const envoyHealth = "http://localhost:15021/healthz/ready"

// statusPortText says what has become of the status port of Istio's agent, which refuses while
// Envoy's listener is up; nothing when that does not tell.
func statusPortText(ctx context.Context, target wait.Target) string {
	if !isIstio(target) {
		return ""
	}
	response, err := get(ctx, strings.Replace(envoyHealth, "localhost", "127.0.0.1", 1))
	if err != nil {
		return ""
	}
	response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return "The proxy is ready, and the annotation status.sidecar.istio.io/port has moved its status port: write " + envoyHealth + " instead of istio"
	case http.StatusServiceUnavailable:
		return "The proxy is up, and " + envoyHealth + " answers 503, as it always does where the annotation status.sidecar.istio.io/port is 0: " +
			"then write http://localhost:15000/ready instead of istio. With another port, the proxy is not ready"
	}
	return ""
}

// envoyStats are the counters by which Istio's agent finds out whether Envoy is
// configured (istio/istio: pilot/cmd/pilot-agent/status/util/stats.go).
const envoyStats = "http://127.0.0.1:15000/stats?usedonly&filter=" +
	"%5E(cluster_manager%5C.cds%7Clistener_manager%5C.lds)%5C.(update_success%7Cupdate_rejected)%24"

// errNotEnvoy says that another program has Envoy's port.
var errNotEnvoy = errors.New("not Envoy's counters")

// envoyUpdates returns how many updates of its configuration Envoy has accepted and rejected.
func envoyUpdates(ctx context.Context) (accepted, rejected int, err error) {
	response, err := get(ctx, envoyStats)
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, 0, errNotEnvoy
	}
	return countUpdates(io.LimitReader(response.Body, 64<<10))
}

// get asks a server of this pod, by a connection of its own.
func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
}

// countUpdates adds up Envoy's counters. A counter that is 0 is left out, and so may all be.
func countUpdates(text io.Reader) (accepted, rejected int, err error) {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return 0, 0, errNotEnvoy
		}
		switch name {
		case "cluster_manager.cds.update_success", "listener_manager.lds.update_success":
			accepted += int(n)
		case "cluster_manager.cds.update_rejected", "listener_manager.lds.update_rejected":
			rejected += int(n)
		default:
			return 0, 0, errNotEnvoy
		}
	}
	return accepted, rejected, lines.Err()
}
