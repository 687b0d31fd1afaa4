package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/startgate/startgate/wait"
)

// hintIstio is for Istio's agent that answers and is not ready. It does not say why;
// the counters of its Envoy do, and the agent looks at them itself.
func hintIstio(ctx context.Context, s waitState) hint {
	if !isIstio(s.target) || s.last.Outcome != wait.NotReady {
		return hint{}
	}
	switch accepted, rejected := envoyUpdates(ctx); {
	case rejected > 0:
		return hint{"Envoy has rejected the configuration that istiod sent: see kubectl logs POD -c istio-proxy, and istioctl analyze", anchorNotReady}
	case accepted == 0:
		return hint{"The proxy has received no configuration: istiod is out of reach, or does not serve this pod. " +
			"See kubectl logs POD -c istio-proxy | grep 'NOT ready', and istioctl proxy-status", anchorNotReady}
	}
	return hint{s.target.Sidecar.NotReadyHint, anchorNotReady}
}

// envoyStats are the counters by which Istio's agent finds out whether Envoy is
// configured (istio/istio: pilot/cmd/pilot-agent/status/util/stats.go).
const envoyStats = "http://127.0.0.1:15000/stats?usedonly&filter=" +
	"%5E(cluster_manager%5C.cds%7Clistener_manager%5C.lds)%5C.(update_success%7Cupdate_rejected)%24"

// envoyUpdates returns how many updates of its configuration Envoy has accepted
// and rejected; -1 when it does not say.
func envoyUpdates(ctx context.Context) (accepted, rejected int) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, envoyStats, nil)
	if err != nil {
		return -1, -1
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return -1, -1
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return -1, -1
	}
	return countUpdates(io.LimitReader(response.Body, 64<<10))
}

// countUpdates adds up Envoy's counters. It returns -1 when text holds anything else: then
// another program has Envoy's port. A counter that is 0 is left out, and so may all be.
func countUpdates(text io.Reader) (accepted, rejected int) {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return -1, -1
		}
		switch name {
		case "cluster_manager.cds.update_success", "listener_manager.lds.update_success":
			accepted += int(n)
		case "cluster_manager.cds.update_rejected", "listener_manager.lds.update_rejected":
			rejected += int(n)
		default:
			return -1, -1
		}
	}
	if lines.Err() != nil {
		return -1, -1
	}
	return accepted, rejected
}
