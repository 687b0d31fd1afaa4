package istio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/startgate/startgate/examples/cluster/node"
)

// programs are what is built of the module in the folder of this name.
var programs = []string{"istio.io/istio/pilot/cmd/pilot-agent", "istio.io/istio/pilot/cmd/pilot-discovery", "./envoy", "./manifests", "./names"}

var buildFlags = []string{"-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags=-s -w"}

// build returns the folder of the programs. They are built once per machine.
func build(ctx context.Context, source string, say func(string)) (string, error) {
	key, err := keyOf(source)
	if err != nil {
		return "", err
	}
	return node.Cached("istio-"+key, func(bin string) error {
		say("building Istio's programs, once on this machine: about 8 minutes on two CPUs")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			return err
		}
		args := append(append([]string{"build"}, buildFlags...), "-o", bin+"/")
		build := exec.CommandContext(ctx, "go", append(args, programs...)...)
		build.Dir = source
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOGC=400", "GOWORK=off") // GOGC: a fifth less CPU
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build Istio's programs: %w\n%s", err, out)
		}
		return nil
	})
}

// keyOf returns a name for what is built from these sources.
func keyOf(source string) (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), programs, buildFlags)
	files, err := filepath.Glob(filepath.Join(source, "*", "*.go"))
	if err != nil {
		return "", err
	}
	for _, file := range append(files, filepath.Join(source, "go.mod"), filepath.Join(source, "go.sum")) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		hash.Write(text)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

// folder returns the folder of a module, as the module in dir sees it.
func folder(dir, module string) (string, error) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	list.Dir = dir
	list.Env = append(os.Environ(), "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
