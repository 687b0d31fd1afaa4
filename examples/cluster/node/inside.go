package node

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Address is the node's address, where pods with hostNetwork listen. It is the same in
// each cluster: each has a network of its own.
const Address = "10.231.0.1"

// NamesAddress is the address that pods ask for names. It is the node's own: a pod with
// hostNetwork may listen there.
const NamesAddress = "10.233.0.10"

const podAddresses = "10.232.0.0/22"

// runNode sets up the namespaces and runs the parts of Kubernetes in them until one ends.
func runNode(dir string) error {
	if err := setUp(dir); err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(apiFD, "api"))
	if err != nil {
		return err
	}
	go forward(listener, Address+":6443")
	return newParts(dir).run()
}

func setUp(dir string) error {
	if err := unix.Sethostname([]byte("node")); err != nil {
		return err
	}
	if err := makeMounts(dir); err != nil {
		return err
	}
	if err := pretendSysctls(dir); err != nil {
		return err
	}
	if err := makeCgroups(cgroupName(dir)); err != nil {
		return err
	}
	return makeNetwork()
}

// makeMounts hides the folders of the machine into which Kubernetes would write. The
// mounts that the kubelet and containerd make reach each other, and nobody outside.
func makeMounts(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return err
	}
	for _, path := range []string{"/var/lib", "/run"} {
		if err := unix.Mount("tmpfs", path, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("cannot mount %s: %w", path, err)
		}
	}
	if err := unix.Mount(filepath.Join(dir, "log"), "/var/log", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot mount /var/log: %w", err)
	}
	return os.MkdirAll("/var/lib/kubelet/manifests", 0o755)
}

// pretendSysctls mounts files with the values that the kubelet wants over those sysctls
// that are the whole machine's: it finds nothing to change.
func pretendSysctls(dir string) error {
	for name, value := range map[string]string{
		"vm/overcommit_memory": "1", "vm/panic_on_oom": "0",
		"kernel/panic": "10", "kernel/panic_on_oops": "1",
		"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, "/proc/sys/"+name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %w", name, err)
		}
	}
	return nil
}

// makeNetwork makes an interface with the node's address. Nothing is at its other end, but
// the kubelet and the API server look for a default route.
func makeNetwork() error {
	ip := exec.Command("ip", "-batch", "-")
	ip.Stdin = strings.NewReader(`link set lo up
link add node0 type veth peer name beyond0
link set beyond0 up
address add ` + Address + `/24 dev node0
address add ` + NamesAddress + `/32 dev lo
link set node0 up
route add default via 10.231.0.254 dev node0
`)
	if out, err := ip.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make the network: %w\n%s", err, out)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// forward takes connections from outside the namespaces to a server inside.
func forward(listener net.Listener, server string) {
	for {
		outside, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer outside.Close()
			inside, err := net.Dial("tcp", server)
			if err != nil {
				return
			}
			defer inside.Close()
			go func() {
				_, _ = io.Copy(inside, outside)
				_ = inside.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(outside, inside)
		}()
	}
}
