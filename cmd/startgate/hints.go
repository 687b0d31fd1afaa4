package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/startgate/startgate/exec"
	"github.com/startgate/startgate/wait"
)

func hintUnresolved(_ context.Context, s waitState) hint {
	if !errors.As(s.last.Err, new(*net.DNSError)) {
		return hint{}
	}
	return hint{"Names cannot be resolved: check the name, /etc/resolv.conf and the cluster's DNS. " +
		"With Istio's DNS capture no name resolves before the proxy is up, so wait for istio first", anchorUnresolved}
}

// hintUnanswered is for an address from which nobody answers a connection attempt.
func hintUnanswered(_ context.Context, s waitState) hint {
	switch {
	case s.last.Reach() == wait.NotRouted:
		return hint{"There is no way to this address: see the pod's routes and the node's firewall, and whether the pod has an address of this family (IPv4, IPv6)", anchorUnanswered}
	case s.last.Reach() == wait.NotAnswered && !s.isHeld():
		return hint{"Nobody accepts or refuses the connection: a NetworkPolicy or a firewall drops it, or no machine has the address", anchorUnanswered}
	}
	return hint{}
}

func hintGone(_ context.Context, s waitState) hint {
	if s.last.Outcome != wait.Refused || !s.answered {
		return hint{}
	}
	return hint{"It answered before and is gone: it has crashed, or was stopped, as by an earlier try of this Job that shut it down. " +
		"See kubectl describe pod, and kubectl logs POD -c CONTAINER, with --previous if it was restarted", anchorGone}
}

// hintMovedPort is for a sidecar whose ready port refuses while its early port answers.
func hintMovedPort(ctx context.Context, s waitState) hint {
	if s.last.Outcome != wait.Refused || s.target.Sidecar == nil {
		return hint{}
	}
	for _, port := range s.target.EarlyKnock {
		if port.Probe(ctx).Outcome == wait.Refused {
			continue
		}
		if text := statusPortText(ctx, s.target); text != "" {
			return hint{text, anchorMovedPort}
		}
		return hint{"The proxy is up, and its status port is another or disabled: " + s.target.Sidecar.RefusedHint, anchorMovedPort}
	}
	return hint{}
}

// hintNotInjected is for a sidecar that a webhook injects, and that listens on none of its
// ports.
func hintNotInjected(ctx context.Context, s waitState) hint {
	if s.last.Outcome != wait.Refused || !isInjectable(s.target) {
		return hint{}
	}
	switch {
	case s.injection == nativeIstio:
		return hint{s.target.Name + doesNotListen + s.target.Sidecar.RefusedHint, anchorNotReady}
	case s.injection == injected:
		return hint{s.target.Name + doesNotListen +
			"In an init container it never will: the kubelet starts a classic sidecar after all init containers" + movedPort(s.target), anchorInitContainer}
	case s.target.Sidecar.Mesh:
		return hintNoMesh(ctx, s)
	case s.injection == unknownInjection && s.outsidePod:
		return hintOutsidePod
	case s.injection == unknownInjection:
		return hint{s.target.Name + " may not be injected: then the pod has no " + s.target.Sidecar.Injected + ". " +
			s.target.Sidecar.RefusedHint, anchorNotInjected}
	}
	return hint{}
}

// doesNotListen is what the log says of a sidecar that is known to be there.
const doesNotListen = " was injected, and does not listen yet: see kubectl describe pod, and the log of its container. "

// hintNoMesh is for a mesh's sidecar of which it is not known that it was injected.
func hintNoMesh(ctx context.Context, s waitState) hint {
	if wait.Redirected(ctx) {
		return hint{"Outbound traffic is redirected to a proxy that does not listen: its container is not started " +
			"(image still being pulled, crashing), or this is an init container in front of a classic sidecar, " +
			"where the wait cannot end: see kubectl describe pod", anchorInitContainer}
	}
	if s.outsidePod {
		return hintOutsidePod
	}
	text := "Nothing listens and nothing is redirected: the pod is probably not injected " +
		"(or in ambient mode, or on the host's network, or this is an init container that runs before the mesh's own). " +
		"Set " + envSidecarStatus + ", or " + envWaitFor + "=none"
	return hint{text + movedPort(s.target), anchorNotInjected}
}

// movedPort says that the ports of a sidecar on which nothing listens may be others. Istio's
// second port does not move, and refuses too.
func movedPort(target wait.Target) string {
	if isIstio(target) {
		return ""
	}
	return ". " + target.Sidecar.RefusedHint
}

var hintOutsidePod = hint{"This is not a pod: " + envInPod + " is not set. On a laptop, in CI or with compose, set " + envWaitFor + "=none", anchorNotInPod}

// hintSidecar is what the table of sidecars says.
func hintSidecar(_ context.Context, s waitState) hint {
	switch {
	case s.target.Sidecar == nil:
		return hint{}
	case s.last.Outcome == wait.Refused:
		return hint{s.target.Sidecar.RefusedHint, anchorRefused}
	case s.last.Outcome == wait.NotReady:
		return hint{s.target.Sidecar.NotReadyHint, anchorNotReady}
	}
	return hint{}
}

func hintDapr(_ context.Context, s waitState) hint {
	if !strings.HasSuffix(s.target.Name, ":3500/v1.0/healthz") {
		return hint{}
	}
	return hint{"This path of Dapr waits for the application, which waits for it: write dapr instead", anchorNotReady}
}

const heldText = "The file system does not answer: see what serves the volume (an NFS server, a CSI driver), and the node's log"

func hintFile(_ context.Context, s waitState) hint {
	if s.isHeld() || s.last.Outcome != wait.Refused && isDeadFileSystem(s.last.Err) {
		return hint{heldText, anchorHeld}
	}
	isDenied := errors.Is(s.last.Err, fs.ErrPermission)
	if text := pathHint(pathOf(s.target), s.last.Err); text != "" {
		if strings.HasPrefix(s.target.Name, "unix://") {
			return hint{text, anchorRefused}
		}
		return hint{text, anchorFile}
	}
	if isDenied && strings.HasPrefix(s.target.Name, "unix://") {
		return hint{"This user may not write to the socket, or not look into its folder: see their owner and mode, and the pod's fsGroup", anchorRefused}
	}
	if !strings.HasPrefix(s.target.Name, "file://") {
		return hint{}
	}
	text := "What writes this file has not done so: is it running (see its log), does it write to this path, " +
		"and is the volume mounted in both containers?"
	switch {
	case errors.Is(s.last.Err, wait.ErrEmptyFile):
		text = "The file is there, and what writes it has not finished or failed (see its log). If the file is to be empty, write #empty after its URL"
	case errors.Is(s.last.Err, syscall.EISDIR):
		text = "Name a file in this directory"
	case isDenied:
		text = "This user may not look into its folder: see the volume's owner and mode, and the pod's fsGroup"
	}
	return hint{text, anchorFile}
}

// isHeld reports whether a system call for the target does not return. One that has just begun,
// after another answer than that, is the next probe's.
func (s waitState) isHeld() bool {
	isSilent := s.last.Outcome == 0 || s.last.Outcome == wait.Timeout
	return isSilent && s.target.Held()
}

// pathOf returns the path of a target that is a file, or nothing.
func pathOf(target wait.Target) string {
	u, err := url.Parse(target.Name)
	if err != nil || u.Scheme != "file" && u.Scheme != "unix" {
		return ""
	}
	return u.Path
}

// isDeadFileSystem reports whether err is what the kernel says of a volume whose driver has
// died (FUSE) or whose server has lost it (NFS).
func isDeadFileSystem(err error) bool {
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE)
}

func hintRefused(ctx context.Context, s waitState) hint {
	if s.last.Outcome != wait.Refused {
		return hint{}
	}
	text := "Nothing listens there: is it running, and is the port right?"
	switch {
	case strings.HasPrefix(s.target.Name, "unix://@"):
		text = "Nothing listens there: is it running? An abstract socket is in its pod's network namespace, and there only while its server runs"
	case strings.HasPrefix(s.target.Name, "unix://"):
		text = "Nothing listens there: is it running, and is the volume with the socket mounted in both containers?"
	case isElsewhere(s.target) && wait.Redirected(ctx):
		text = "Outbound traffic is redirected to a proxy that does not listen yet: write the mesh's sidecar, such as istio, before this target"
	}
	return hint{text, anchorRefused}
}

// isElsewhere reports whether connections to the target leave this machine.
func isElsewhere(target wait.Target) bool {
	u, err := url.Parse(target.Name)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "" && !isLocalhost(u.Hostname()) && (err != nil || !addr.IsLoopback())
}

// hintNotRun says why a program may not have been run, whose name the user wrote so.
func hintNotRun(name string, err *exec.ExitError) hint {
	text := ""
	switch {
	case isDeadFileSystem(err):
		return hint{heldText, anchorHeld}
	case errors.Is(err, syscall.ETXTBSY):
		text = "Something has the file open for writing: what copies it has to close it, and to have ended, before this container starts"
	case err.Code == exec.CodeNotFound:
		text = notFoundHint(name)
	}
	if text == "" && strings.Contains(name, "/") && name == exec.DisplayName(name) {
		text = pathHint(name, err)
	}
	return hint{text, anchorNotRun}
}
