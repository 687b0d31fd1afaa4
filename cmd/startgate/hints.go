package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/startgate/startgate/wait"
)

// waitState is how far a wait has come that has not ended.
type waitState struct {
	target   wait.Target
	last     wait.Answer
	answered bool // it has answered before
	injection
}

// hints are asked in this order for what may be the cause, and what to do about it.
var hints = []func(context.Context, waitState) string{
	hintUnresolved, hintUnanswered, hintGone, hintMovedPort, hintNotInjected, hintIstio, hintSidecar, hintDapr, hintFile, hintRefused, hintTLS, hintDropped,
}

// hintPatience is how long the search for a hint may take.
const hintPatience = 500 * time.Millisecond

// hint returns the first hint that applies, or nothing. Some hints ask the sidecar, until
// ctx ends or hintPatience has passed.
func (s waitState) hint(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, hintPatience)
	defer cancel()
	for _, hint := range hints {
		if text := hint(ctx, s); text != "" {
			return text
		}
	}
	return ""
}

func hintUnresolved(_ context.Context, s waitState) string {
	if !errors.As(s.last.Err, new(*net.DNSError)) {
		return ""
	}
	return "Names cannot be resolved: check the name, /etc/resolv.conf and the cluster's DNS; " +
		"with Istio's DNS capture no name resolves before the proxy is up, so wait for istio first"
}

// hintUnanswered is for an address from which nobody answers a connection attempt.
func hintUnanswered(_ context.Context, s waitState) string {
	switch {
	case s.last.Reach() == wait.NotRouted:
		return "There is no way to this address: see the pod's routes and the node's firewall, and whether the pod has an address of this family (IPv4, IPv6)"
	case s.last.Reach() == wait.NotAnswered && !s.target.Held():
		return "Nobody accepts or refuses the connection: a NetworkPolicy or a firewall drops it, or no machine has the address"
	}
	return ""
}

func hintGone(_ context.Context, s waitState) string {
	if s.last.Outcome != wait.Refused || !s.answered {
		return ""
	}
	return "It answered before and is gone: it has crashed, or was stopped, as by an earlier try of this Job that shut it down; " +
		"see kubectl describe pod, and kubectl logs POD --previous of its container"
}

// hintMovedPort is for a sidecar whose ready port refuses while its early port answers.
func hintMovedPort(ctx context.Context, s waitState) string {
	if s.last.Outcome != wait.Refused || s.target.Sidecar == nil {
		return ""
	}
	for _, port := range s.target.EarlyKnock {
		if port.Probe(ctx).Outcome != wait.Refused {
			return "The proxy is up, and its status port is another or disabled: " + s.target.Sidecar.RefusedHint
		}
	}
	return ""
}

// hintNotInjected is for a sidecar that a webhook injects, and that listens on none of its
// ports.
func hintNotInjected(ctx context.Context, s waitState) string {
	if s.last.Outcome != wait.Refused || !isInjectable(s.target) {
		return ""
	}
	switch {
	case s.injection == injected, s.injection == nativeIstio:
		return s.target.Name + " was injected, and does not listen yet: see kubectl describe pod, and the log of its container. " +
			s.target.Sidecar.RefusedHint
	case s.target.Sidecar.Mesh:
		return hintNoMesh(ctx, s)
	case s.injection == unknownInjection:
		return s.target.Name + " may not be injected: then the pod has no " + s.target.Sidecar.Injected + ". " +
			s.target.Sidecar.RefusedHint
	}
	return ""
}

// hintNoMesh is for a mesh's sidecar of which it is not known that it was injected.
func hintNoMesh(ctx context.Context, s waitState) string {
	if wait.Redirected(ctx) {
		return "Outbound traffic is redirected to a proxy that does not listen: its container is not started " +
			"(image still being pulled, crashing), or this is an init container in front of a classic sidecar, " +
			"where the wait cannot end: see kubectl describe pod"
	}
	cure := "Set " + envWaitFor + "=none where it never is"
	if s.injection == unknownInjection && isIstio(s.target) {
		cure = "Set " + envSidecarStatus + " as the README says, or " + envWaitFor + "=none"
	}
	return "Nothing listens and nothing is redirected: the pod is probably not injected (or in ambient mode, or on the host's network). " +
		cure + ". " + s.target.Sidecar.RefusedHint
}

// hintIstio is for Istio's agent that answers and is not ready. It does not say why;
// the counters of its Envoy do, and the agent looks at them itself.
func hintIstio(ctx context.Context, s waitState) string {
	if !isIstio(s.target) || s.last.Outcome != wait.NotReady {
		return ""
	}
	switch accepted, rejected := envoyUpdates(ctx); {
	case rejected > 0:
		return "Envoy has rejected the configuration that istiod sent: see kubectl logs POD -c istio-proxy, and istioctl analyze"
	case accepted == 0:
		return "The proxy has received no configuration: istiod is out of reach, or does not serve this pod; " +
			"see kubectl logs POD -c istio-proxy | grep 'NOT ready', and istioctl proxy-status"
	}
	return s.target.Sidecar.NotReadyHint
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

// hintSidecar is what the table of sidecars says.
func hintSidecar(_ context.Context, s waitState) string {
	switch {
	case s.target.Sidecar == nil:
		return ""
	case s.last.Outcome == wait.Refused:
		return s.target.Sidecar.RefusedHint
	case s.last.Outcome == wait.NotReady:
		return s.target.Sidecar.NotReadyHint
	}
	return ""
}

func hintDapr(_ context.Context, s waitState) string {
	if !strings.HasSuffix(s.target.Name, ":3500/v1.0/healthz") {
		return ""
	}
	return "This path of Dapr waits for the application, which waits for it: write dapr instead"
}

func hintFile(_ context.Context, s waitState) string {
	if s.target.Held() {
		return "The file system does not answer: see what serves the volume (an NFS server, a CSI driver), and the node's log"
	}
	isDenied := errors.Is(s.last.Err, fs.ErrPermission)
	if isDenied && strings.HasPrefix(s.target.Name, "unix://") {
		return "This user may not write to the socket, or not look into its folder: see their owner and mode, and the pod's fsGroup"
	}
	if !strings.HasPrefix(s.target.Name, "file://") {
		return ""
	}
	switch {
	case strings.HasSuffix(s.last.Detail, ": it is empty"):
		return "The file is there, and what writes it has not finished or failed (see its log); if the file is to be empty, write #empty after its URL"
	case strings.HasSuffix(s.last.Detail, ": it is a directory"):
		return "Name a file in this directory"
	case isDenied:
		return "This user may not look into its folder: see the volume's owner and mode, and the pod's fsGroup"
	}
	return "What writes this file has not done so: is it running (see its log), does it write to this path, " +
		"and is the volume mounted in both containers?"
}

func hintRefused(_ context.Context, s waitState) string {
	if s.last.Outcome != wait.Refused {
		return ""
	}
	switch {
	case strings.HasPrefix(s.target.Name, "unix://@"):
		return "Nothing listens there: is it running? An abstract socket is in its pod's network namespace, and there only while its server runs"
	case strings.HasPrefix(s.target.Name, "unix://"):
		return "Nothing listens there: is it running, and is the volume with the socket mounted in both containers?"
	}
	return "Nothing listens there: is it running, and is the port right?"
}

// hintTLS is for a server that speaks TLS and is asked without. It does not give an answer
// of the target's protocol, except for web servers, which answer 400.
func hintTLS(ctx context.Context, s waitState) string {
	if s.last.Reach() != wait.Connected || s.last.Outcome == wait.NotReady && !strings.Contains(s.last.Detail, ": status 400") {
		return ""
	}
	instead := s.target.AskTLS(ctx)
	if instead == "" {
		return ""
	}
	return "The server speaks TLS: write " + instead
}

// hintDropped is for a proxy that accepts a connection in the place of a server that
// does not answer.
func hintDropped(_ context.Context, s waitState) string {
	if s.last.Reach() != wait.Connected || !errors.Is(s.last.Err, io.EOF) && s.last.Outcome != wait.Timeout && !strings.HasSuffix(s.last.Detail, "connection reset") {
		return ""
	}
	return "The connection is accepted and comes to nothing: in a mesh the proxy accepts it in the server's place. " +
		"Is the server running, and does the mesh let this pod reach it?"
}
