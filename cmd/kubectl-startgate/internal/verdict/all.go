package verdict

// All describes all verdicts to a user.
var All = []struct {
	Name    Name
	Meaning string
}{
	{StartupRace, "refused before the sidecar was ready, and not after it"},
	{RefusedAfter, "refused while the sidecar was ready, or not through it: an excluded address or port, a target in the pod itself, a server that is down"},
	{ShutdownRace, "the sidecar ended before the application did"},
	{ProxyRestarted, "the sidecar ended and came back while the application needed it"},
	{DNSBeforeProxy, "names did not resolve, or nothing answered, before the sidecar was ready"},
	{InitDeadlock, "an init container needs the sidecar, which starts after it"},
	{JobKept, "the application has ended, and its sidecar keeps the pod"},
	{NeverReady, "the sidecar does not become ready; its state, probes and log say why"},
	{Gated, "startgate waits, or has given up with 124, 125, 126 or 127; its log says for what"},
	{ProbeBudget, "a startupProbe or livenessProbe killed the container while startgate waited"},
	{HoldRanOut, "the hook of holdApplicationUntilProxyStarts failed or ran into its limit"},
	{NativeNoProbe, "a native sidecar for which the kubelet does not wait"},
	{NotInjected, "no sidecar: there is nothing to wait for"},
	{Ambient, "the same, in ambient mode"},
	{HostNetwork, "the same, on the host's network"},
	{ProxyUser, "the application runs as the proxy's user, and its traffic is not redirected"},
	{Healthy, "none of these; or the application got over it by itself"},
	{CannotTell, "it says what is missing, and does not guess"},
}
