package node

import (
	"os"
	"os/exec"
	"runtime"
)

// Packages are the Debian packages that a cluster needs.
const Packages = "busybox-static containerd containernetworking-plugins dnsmasq-base etcd-server iproute2 iptables prometheus-node-exporter redis-server redis-tools runc util-linux"

// Missing returns what this machine lacks for a cluster.
func Missing() []string {
	var missing []string
	if runtime.GOOS != "linux" {
		missing = append(missing, "Linux")
	}
	if os.Getuid() != 0 {
		missing = append(missing, "root")
	}
	for _, program := range []string{
		"busybox", "containerd", "ctr", "dnsmasq", "etcd", "go", "ip", "iptables-restore", "ldd", "nsenter", "prometheus-node-exporter",
		"redis-cli", "redis-server", "runc",
		"/usr/lib/cni/host-local", "/usr/lib/cni/loopback", "/usr/lib/cni/portmap", "/usr/lib/cni/ptp",
	} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	return missing
}
