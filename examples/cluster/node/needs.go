package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Packages are the Debian packages that a cluster needs.
const Packages = "busybox-static containerd containernetworking-plugins dnsmasq-base etcd-server iproute2 iptables postgresql prometheus-node-exporter redis-server redis-tools runc util-linux"

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
		"busybox", "containerd", "ctr", "dnsmasq", "etcd", "go", "initdb", "ip", "iptables-restore", "ldd", "nsenter",
		"postgres", "prometheus-node-exporter", "psql", "redis-cli", "redis-server", "runc",
		"/usr/lib/cni/host-local", "/usr/lib/cni/loopback", "/usr/lib/cni/portmap", "/usr/lib/cni/ptp",
	} {
		if _, err := find(program); err != nil {
			missing = append(missing, program)
		}
	}
	return missing
}

// find returns the path of a program. Debian keeps PostgreSQL's outside of PATH, in a folder
// for each version: what PATH has is a script that looks for them.
func find(program string) (string, error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program); len(found) > 0 {
		return found[len(found)-1], nil
	}
	return exec.LookPath(program)
}
