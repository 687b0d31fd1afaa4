package istio

import (
	"path/filepath"

	"github.com/startgate/startgate/examples/cluster/node"
)

// tag is the tag of Istio's images.
const tag = "1"

// images returns Istio's images, of the programs in bin and of what is in Istio's module.
func images(bin, module string) ([]node.Image, error) {
	iptables, err := iptablesLayer()
	if err != nil {
		return nil, err
	}
	busybox, err := node.BusyboxLayer() // for a person, and for the tests
	if err != nil {
		return nil, err
	}
	proxy := node.Layer{
		{Path: "/usr/local/bin/pilot-agent", From: filepath.Join(bin, "pilot-agent")},
		{Path: "/usr/local/bin/envoy", From: filepath.Join(bin, "envoy")},
		{Path: "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json", From: filepath.Join(module, "tools/packaging/common/envoy_bootstrap.json")},
		{Path: "/etc/passwd", Text: "root:x:0:0::/:/bin/sh\nistio-proxy:x:1337:1337::/:/bin/sh\n"},
		{Path: "/run", Dir: 0o1777},
	}
	return []node.Image{
		{
			Name: "docker.io/istio/proxyv2:" + tag,
			Config: node.Config{
				Entrypoint: []string{"/usr/local/bin/pilot-agent"},
				Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
			},
			Layers: []node.Layer{busybox, iptables, proxy},
		},
		{
			Name:   "docker.io/istio/pilot:" + tag,
			Config: node.Config{Entrypoint: []string{"/pilot-discovery"}, User: "1337:1337"},
			Layers: []node.Layer{{{Path: "/pilot-discovery", From: filepath.Join(bin, "pilot-discovery")}}},
		},
		{
			Name:   "localhost/names:1",
			Config: node.Config{Entrypoint: []string{"/names"}},
			Layers: []node.Layer{{{Path: "/names", From: filepath.Join(bin, "names")}}},
		},
	}, nil
}

// iptablesLayer has all forms of iptables: istio-init chooses one of them.
func iptablesLayer() (node.Layer, error) {
	var names []string
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, kind := range []string{"", "-nft", "-legacy"} {
			for _, command := range []string{"", "-save", "-restore"} {
				names = append(names, family+kind+command)
			}
		}
	}
	return node.MachineLayer(names...)
}
