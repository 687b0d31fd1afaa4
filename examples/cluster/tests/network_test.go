package tests

// What is between a pod and what it waits for: a firewall, a Service, a name server.

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/startgate/startgate/examples/cluster/node"
)

// startRedis makes a pod with a Redis that the Service cache selects, waits until it is ready
// and returns its address.
func (n *namespace) startRedis() string {
	n.Helper()
	pod := aPod("redis", "", notInjected, image("localhost/redis:1"))
	pod.Labels["app"] = "cache"
	app := &pod.Spec.Containers[0]
	app.Command, app.Args = []string{"redis-server", "--protected-mode", "no", "--save", ""}, nil
	return n.startServer(pod, 6379)
}

// startPostgres makes a pod with a PostgreSQL, waits until it is ready and returns its address.
func (n *namespace) startPostgres() string {
	n.Helper()
	pod := aPod("postgres", "", notInjected, image("localhost/postgres:1"))
	pod.Spec.Containers[0].Args = nil
	return n.startServer(pod, 5432)
}

// startServer makes the pod of a server, waits until it listens and returns its address.
func (n *namespace) startServer(server *corev1.Pod, port int32) string {
	n.Helper()
	server.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
		PeriodSeconds: 1,
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(port)}},
	}
	n.create(server)
	n.eventually(server.Name+" is ready", func() bool { return n.status(server.Name, "app").Ready })
	seen, _ := n.pod(server.Name)
	return seen.Status.PodIP
}

// makeService makes the Service cache and returns its address.
func (n *namespace) makeService() string {
	n.Helper()
	service, err := cluster.Client.CoreV1().Services(n.name).Create(n.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "cache"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "cache"}, Ports: []corev1.ServicePort{{Port: 6379}}},
	}, metav1.CreateOptions{})
	if err != nil {
		n.Fatal(err)
	}
	return service.Spec.ClusterIP
}

// waitsFor makes a pod that waits for a target without a sidecar.
func (n *namespace) waitsFor(target string, options ...func(*corev1.Pod)) {
	n.Helper()
	n.create(aPod("p", "echo works", append(options, notInjected, settings("STARTGATE_WAIT_FOR="+target))...))
	n.waitForLog("p", "app", waitingFor(target))
}

// checkStarts waits until the application has started and worked.
func (n *namespace) checkStarts() {
	n.Helper()
	if end := n.waitForEnds("p", "app", 1)[0]; end.ExitCode != 0 {
		n.Errorf("code %d: %s", end.ExitCode, end.Message)
	}
	if log := n.log("p", "app"); !strings.Contains(log, logStarting) || !strings.Contains(log, "works") {
		n.Errorf("the application has not worked:\n%s", log)
	}
}

// onNode runs a program in the node's network.
func (n *namespace) onNode(name string, args ...string) {
	n.Helper()
	command, err := cluster.Command(name, args...)
	if err != nil {
		n.Fatal(err)
	}
	if out, err := command.CombinedOutput(); err != nil {
		n.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// forbid makes the firewall do this with what pods send to the address, until allow is called.
func (n *namespace) forbid(address string, action ...string) (allow func()) {
	n.Helper()
	rule := append([]string{"FORWARD", "--destination", address, "--protocol", "tcp", "--jump"}, action...)
	n.onNode("iptables", append([]string{"--wait", "--insert"}, rule...)...)
	return sync.OnceFunc(func() { n.onNode("iptables", append([]string{"--wait", "--delete"}, rule...)...) })
}

// A NetworkPolicy is a firewall's rule in the node: packets are dropped or rejected. The log
// leads to the README's section about that, and when the rule is gone the application starts.
func TestFirewall(t *testing.T) {
	isLong(t)
	for name, test := range map[string]struct {
		action       []string
		answer, docs string
	}{
		"drop":             {[]string{"DROP"}, "no answer to the connection attempt", "no-answer-at-all"},
		"reject":           {[]string{"REJECT"}, "connection refused", "connection-refused-while-waiting"},
		"reset":            {[]string{"REJECT", "--reject-with", "tcp-reset"}, "connection refused", "connection-refused-while-waiting"},
		"admin-prohibited": {[]string{"REJECT", "--reject-with", "icmp-admin-prohibited"}, "no route to host", "no-answer-at-all"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			redis := n.startRedis()
			allow := n.forbid(redis, test.action...)
			defer allow()
			n.waitsFor("redis://" + redis)
			n.waitForLog("p", "app", "#"+test.docs)
			if log := n.log("p", "app"); !strings.Contains(log, test.answer) {
				t.Errorf("the log has no %q:\n%s", test.answer, log)
			}
			allow()
			n.checkStarts()
		})
	}
}

// A Service without a ready pod refuses. As soon as it has one, the application starts.
func TestService(t *testing.T) {
	isLong(t)
	t.Parallel()
	n := newNamespace(t)
	n.waitsFor("redis://" + n.makeService())
	n.waitForLog("p", "app", "connection refused")
	n.startRedis()
	n.checkStarts()
}

// A name is looked up as in any cluster: with a search path, and ndots 5. Of two addresses
// one may be dead.
func TestNames(t *testing.T) {
	isLong(t)
	shop := newNamespace(t)
	redis, service := shop.startRedis(), shop.makeService()
	const dead = "10.232.3.254" // no pod's
	for name, addresses := range map[string][]string{"cache": {service}, "replicas": {dead, redis}} {
		t.Run(name, func(t *testing.T) {
			n := newNamespace(t)
			target := "redis://" + name + "." + shop.name
			n.waitsFor(target, n.resolves)
			n.waitForLog("p", "app", "#a-name-is-not-resolved") // nobody answers yet
			n.startNameServer(name+"."+shop.name+".svc.cluster.local", addresses...)
			n.checkStarts()
		})
	}
}

// resolves gives the pod what a kubelet writes into resolv.conf, with the node's own address
// as that of the name server: at the usual one Istio's tests have theirs.
func (n *namespace) resolves(pod *corev1.Pod) {
	ndots := "5"
	pod.Spec.DNSPolicy = corev1.DNSNone
	pod.Spec.DNSConfig = &corev1.PodDNSConfig{
		Nameservers: []string{node.Address},
		Searches:    []string{n.name + ".svc.cluster.local", "svc.cluster.local", "cluster.local"},
		Options:     []corev1.PodDNSConfigOption{{Name: "ndots", Value: &ndots}},
	}
}

// startNameServer answers for one name, and that there are no others, until the test ends.
func (n *namespace) startNameServer(name string, addresses ...string) {
	n.Helper()
	hosts := filepath.Join(n.TempDir(), "hosts")
	text := strings.Join(addresses, " "+name+"\n") + " " + name + "\n"
	if err := os.WriteFile(hosts, []byte(text), 0o644); err != nil {
		n.Fatal(err)
	}
	server, err := cluster.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file",
		"--no-resolv", "--no-hosts", "--addn-hosts="+hosts, "--local=/cluster.local/", "--bind-interfaces", "--listen-address="+node.Address)
	if err != nil {
		n.Fatal(err)
	}
	var said strings.Builder
	server.Stderr = &said
	if err := server.Start(); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if n.Failed() {
			n.Logf("dnsmasq: %s", &said)
		}
	})
}
