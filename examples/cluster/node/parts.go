package node

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// parts are the programs of the node. Each writes to its own file below dir/log.
type parts struct {
	dir   string
	ended chan error // the first to end says so
}

func newParts(dir string) *parts { return &parts{dir: dir, ended: make(chan error, 10)} }

// run starts all parts, each when what it needs is there, and returns when one has ended.
func (p *parts) run() error {
	for _, step := range []func() error{p.startStores, p.importImages, p.awaitAPIServer, p.startRest} {
		if err := step(); err != nil {
			return err
		}
	}
	return <-p.ended
}

func (p *parts) startStores() error {
	const etcd = "http://127.0.0.1:2379"
	flags, err := os.ReadFile(p.file("flags"))
	if err != nil {
		return err
	}
	return errors.Join(
		p.start("containerd", "containerd", "--config", p.file("containerd.toml")),
		p.start("etcd", "etcd", "--data-dir", "/var/lib/etcd", "--unsafe-no-fsync",
			"--listen-client-urls", etcd, "--advertise-client-urls", etcd, "--listen-peer-urls", "http://127.0.0.1:2380"),
		p.startKube("kube-apiserver", append(strings.Fields(string(flags)), "--etcd-servers", etcd, "--bind-address", Address, "--advertise-address", Address,
			"--tls-cert-file", p.file("api.crt"), "--tls-private-key-file", p.file("api.key"), "--cert-dir", "/run/api",
			"--token-auth-file", p.file("tokens.csv"), "--authorization-mode", "RBAC",
			"--service-account-issuer", "https://kubernetes.default.svc",
			"--service-account-signing-key-file", p.file("api.key"), "--service-account-key-file", p.file("api.key"),
			"--service-cluster-ip-range", "10.233.0.0/24",
			"--enable-aggregator-routing", // a webhook's Service is reached at its pods
			"--allow-privileged", "--kubelet-preferred-address-types", "InternalIP")...),
	)
}

func (p *parts) startRest() error {
	kubeconfig := p.file("inside.kubeconfig")
	return errors.Join(
		p.startKube("kubelet", "--config", p.file("kubelet.yaml"), "--kubeconfig", kubeconfig,
			"--hostname-override", "node", "--node-ip", Address, "--root-dir", "/var/lib/kubelet"),
		p.startKube("kube-controller-manager", "--kubeconfig", kubeconfig, "--leader-elect=false", "--controllers", "*",
			"--service-account-private-key-file", p.file("api.key"), "--root-ca-file", p.file("api.crt"), "--bind-address", "127.0.0.1", "--cert-dir", "/run/kcm"),
		p.startKube("kube-scheduler", "--kubeconfig", kubeconfig, "--leader-elect=false", "--bind-address", "127.0.0.1"),
		p.startKube("kube-proxy", "--kubeconfig", kubeconfig, "--hostname-override", "node", "--proxy-mode", "iptables",
			"--cluster-cidr", podAddresses, "--healthz-bind-address", "127.0.0.1:10256", "--metrics-bind-address", "127.0.0.1:10249",
			// Those of conntrack are the whole machine's.
			"--conntrack-max-per-core=0", "--conntrack-min=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"),
	)
}

func (p *parts) file(name string) string { return filepath.Join(p.dir, name) }

// startKube starts a part that is in the one binary.
func (p *parts) startKube(name string, args ...string) error {
	return p.start(name, p.file("kube"), append([]string{name}, args...)...)
}

func (p *parts) start(name, program string, args ...string) error {
	log, err := os.Create(p.file("log/" + name + ".log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "TMPDIR=/run", "HOME=/run")
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait()
		text, _ := os.ReadFile(log.Name())
		p.ended <- fmt.Errorf("%s has ended: %s\n%s", name, cmd.ProcessState, lastLines(text, 10))
	}()
	return nil
}

// importImages gives containerd the images. They are not pulled from anywhere.
func (p *parts) importImages() error {
	if err := p.await("containerd", func() bool {
		_, err := os.Stat("/run/containerd/containerd.sock")
		return err == nil && exec.Command("ctr", "version").Run() == nil
	}); err != nil {
		return err
	}
	if out, err := exec.Command("ctr", "--namespace", "k8s.io", "images", "import", p.file("images.tar")).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot import the images: %w\n%s", err, out)
	}
	return os.Remove(p.file("images.tar"))
}

func (p *parts) awaitAPIServer() error {
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // only whether it is ready
	}
	return p.await("kube-apiserver", func() bool {
		answer, err := client.Get("https://" + Address + ":6443/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// await waits until a part is ready, or one has ended.
func (p *parts) await(name string, ready func() bool) error {
	end := time.After(3 * time.Minute)
	for !ready() {
		select {
		case err := <-p.ended:
			return err
		case <-end:
			text, _ := os.ReadFile(p.file("log/" + name + ".log"))
			return fmt.Errorf("%s is not ready after 3 minutes\n%s", name, lastLines(text, 10))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// lastLines returns the last n lines of a text.
func lastLines(text []byte, n int) string {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
