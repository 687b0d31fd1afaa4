package node

import (
	"crypto/rand"
	"embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"
	"k8s.io/client-go/util/cert"
)

//go:embed config
var config embed.FS

// writeConfig writes the files that the parts read. api is where the API server is reached
// from outside the node's namespaces.
func writeConfig(dir, api, version string) error {
	values := map[string]string{"dir": dir, "cgroup": cgroupName(dir), "token": rand.Text(), "pods": podAddresses}
	for name, content := range map[string]string{
		"resolv.conf": "nameserver 127.0.0.1\n",
		"tokens.csv":  values["token"] + ",admin,admin,system:masters\n",
		"flags":       strings.Join(apiFlags(version), " "),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	for _, file := range []struct{ from, to, server string }{
		{"kubelet.yaml", "kubelet.yaml", ""},
		{"containerd.toml", "containerd.toml", ""},
		{"pods.conflist", "cni/pods.conflist", ""},
		{"kubeconfig.yaml", "kubeconfig", api},
		{"kubeconfig.yaml", "inside.kubeconfig", Address + ":6443"},
	} {
		values["server"] = file.server
		if err := expand("config/"+file.from, filepath.Join(dir, file.to), values); err != nil {
			return err
		}
	}
	return writeCertificate(dir)
}

// apiFlags returns the API server's flags that older versions need: a MutatingAdmissionPolicy
// is in v1 since 1.36.
func apiFlags(version string) []string {
	if semver.Compare(version, "v1.36.0") >= 0 {
		return nil
	}
	return []string{"--feature-gates=MutatingAdmissionPolicy=true", "--runtime-config=admissionregistration.k8s.io/v1beta1=true"}
}

// expand writes an embedded file with the values for each ${name}.
func expand(from, to string, values map[string]string) error {
	text, err := config.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, []byte(os.Expand(string(text), func(name string) string { return values[name] })), 0o600)
}

// writeCertificate makes the API server's certificate, for its addresses inside and
// outside. Its key also signs the tokens of service accounts.
func writeCertificate(dir string) error {
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(Address), net.IPv4(10, 233, 0, 1)}
	certificate, key, err := cert.GenerateSelfSignedCertKey("kubernetes", addresses, []string{"kubernetes.default.svc"})
	if err != nil {
		return fmt.Errorf("cannot make a certificate: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "api.crt"), certificate, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "api.key"), key, 0o600)
}
