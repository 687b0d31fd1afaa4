package node

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

const architecture = runtime.GOARCH

// programs are what is built from this repository for the images.
var programs = []string{"cmd/startgate", "examples/app", "examples/standin"}

// images returns the images of the cluster, of programs that are in bin and on the
// machine. Those that users take from a registry have the same names here.
func images(repository, bin string) ([]Image, error) {
	var failed error
	must := func(layer Layer, err error) Layer {
		failed = errors.Join(failed, err)
		return layer
	}
	busybox := must(busyboxLayer())
	redis := must(machineLayer("redis-server", "redis-cli"))
	postgres := must(postgresLayer())
	psql := must(machineLayer("psql"))
	iptables := must(machineLayer("iptables-restore"))
	exporter := must(machineLayer("prometheus-node-exporter"))
	program := func(name string) Layer { return Layer{{Path: "/" + name, From: filepath.Join(bin, name)}} }
	startgate := program("startgate")
	gated := Config{Entrypoint: []string{"/startgate", "--"}, User: "65532:65532"}
	shell := gated
	shell.Env = []string{"PATH=/bin:/usr/bin"}
	app := gated
	app.Cmd = []string{"/app"}
	path := Config{Env: []string{"PATH=/bin:/usr/bin:/usr/sbin"}}
	istioInit := Layer{{Path: "/istio-init.sh", From: filepath.Join(repository, "examples/incident/istio-init.sh")}}
	return []Image{
		{"localhost/pause:1", Config{Entrypoint: []string{"/bin/sh", "-c", pause}}, []Layer{busybox}},
		{"registry.example/startgate:1", gated, []Layer{startgate}},
		{"registry.example/app:1", app, []Layer{startgate, program("app")}},
		{"localhost/standin:1", Config{Entrypoint: []string{"/standin"}, User: "65532:65532"}, []Layer{program("standin")}},
		{"docker.io/library/busybox:stable", Config{Cmd: []string{"sh"}, Env: path.Env}, []Layer{busybox}},
		{"localhost/shell:1", shell, []Layer{busybox, startgate}},
		{"localhost/redis:1", path, []Layer{busybox, redis}},
		{"localhost/postgres:1", postgresServer, []Layer{busybox, postgres}},
		{"localhost/client:1", shell, []Layer{busybox, redis, startgate, psql}},
		{"localhost/hold:1", path, []Layer{busybox, startgate, program("standin")}},
		{"docker.io/hashicorp/vault:1.21.1", path, []Layer{busybox, {{Path: "/bin/vault", Text: vault}}}},
		{"localhost/istio-init:1", path, []Layer{busybox, iptables, istioInit}},
		{
			"quay.io/prometheus/node-exporter:v1.9.1",
			Config{Entrypoint: []string{"/usr/bin/prometheus-node-exporter"}, User: "65534:65534"},
			[]Layer{exporter},
		},
		{
			"registry.example/report:1",
			Config{Entrypoint: []string{"report"}, Cmd: []string{"--all"}, Env: path.Env},
			[]Layer{busybox, {{Path: "/bin/report", Text: report}}},
		},
	}, failed
}

// pause holds a pod's namespaces, and reaps what is orphaned in a shared PID namespace.
const pause = "trap 'exit 0' TERM; while :; do sleep 2147483647 & wait; done"

// vault plays Vault's agent: on USR1 it writes a secret, as the agent does.
const vault = `#!/bin/sh
trap 'exit 0' TERM
trap 'echo password=secret >/vault/secrets/.db && mv /vault/secrets/.db /vault/secrets/db' USR1
echo agent starts
while :; do sleep 3600 & wait; done
`

// report is the program of the fleet example's CronJob.
const report = "#!/bin/sh\necho report starts \"$@\"\n"

// busyboxLayer has busybox under the names of all its commands.
func busyboxLayer() (Layer, error) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	names, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list busybox's commands: %w", err)
	}
	layer := Layer{{Path: "/bin/busybox", From: busybox}, {Path: "/tmp", Dir: 0o1777}}
	for _, name := range strings.Fields(string(names)) {
		if name != "busybox" {
			layer = append(layer, File{Path: "/bin/" + name, Link: "/bin/busybox"})
		}
	}
	return layer, nil
}

// machineLayer has programs of this machine and the libraries that they need.
func machineLayer(names ...string) (Layer, error) {
	files := map[string]string{}
	for _, name := range names {
		program, err := find(name)
		if err != nil {
			return nil, err
		}
		if program, err = filepath.EvalSymlinks(program); err != nil {
			return nil, err
		}
		files["/usr/bin/"+name] = program
		needed := []string{program}
		if strings.Contains(name, "iptables") {
			modules, err := filepath.Glob("/usr/lib/*/xtables/*.so")
			if err != nil {
				return nil, err
			}
			for _, module := range modules {
				files[module] = module
			}
			needed = append(needed, modules...)
		}
		if err := addLibraries(files, needed); err != nil {
			return nil, err
		}
	}
	var layer Layer
	for path, from := range files {
		layer = append(layer, File{Path: path, From: from})
	}
	slices.SortFunc(layer, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return layer, nil
}

// library matches a line of ldd's that names a file.
var library = regexp.MustCompile(`(/\S+) \(0x`)

func addLibraries(files map[string]string, programs []string) error {
	out, err := exec.Command("ldd", programs...).Output()
	if err != nil {
		return fmt.Errorf("cannot list the libraries of %v: %w", programs, err)
	}
	for _, match := range library.FindAllStringSubmatch(string(out), -1) {
		files[match[1]] = match[1]
	}
	return nil
}
