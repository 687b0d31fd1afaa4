package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// DefaultVersion is the Kubernetes of kube/go.mod.
const DefaultVersion = "v1.37.2"

// folder returns the folder of this module.
func folder() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/startgate/startgate/examples/cluster").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the module of the cluster: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// buildKube returns the binary of that version of Kubernetes. It is built once per
// machine: of two processes that want it at once, one builds it and the other waits.
func buildKube(ctx context.Context, module, version string, say func(string)) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "startgate-cluster")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	source := filepath.Join(module, "kube")
	if version != DefaultVersion {
		if source, err = makeModule(ctx, source, version); err != nil {
			return "", err
		}
		defer os.RemoveAll(source)
	}
	flags := buildFlags(version)
	key, err := keyOf(source, flags)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(cache, "kube-"+version+"-"+key)
	unlock, err := lock(ctx, binary+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	say("building Kubernetes " + version + ", once on this machine: about 14 minutes on two CPUs")
	build := exec.CommandContext(ctx, "go", append(append([]string{"build"}, flags...), "-o", binary+".new", ".")...)
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOGC=400", "GOWORK=off") // GOGC: a fifth less CPU
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build Kubernetes: %w\n%s", err, out)
	}
	return binary, os.Rename(binary+".new", binary)
}

// buildFlags returns the flags of go build. The binary says its version, as releases do.
func buildFlags(version string) []string {
	const variable = " -X k8s.io/component-base/version."
	numbers := strings.Split(strings.TrimPrefix(version, "v"), ".")
	return []string{
		"-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false",
		"-ldflags=-s -w" + variable + "gitVersion=" + version + variable + "gitMajor=" + numbers[0] + variable + "gitMinor=" + numbers[1],
	}
}

// keyOf returns a name for what is built from these sources.
func keyOf(source string, flags []string) (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), flags)
	for _, name := range []string{"main.go", "go.mod", "go.sum"} {
		f, err := os.Open(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		_, err = io.Copy(hash, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

// makeModule makes the module of another version in a new folder.
func makeModule(ctx context.Context, kube, version string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "startgate-kube-"); err != nil {
		return "", err
	}
	main, err := os.ReadFile(filepath.Join(kube, "main.go"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), main, 0o644); err != nil {
		return "", err
	}
	mod, err := goMod(ctx, version)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return "", err
	}
	tidy := exec.CommandContext(ctx, "go", "mod", "tidy")
	tidy.Dir = dir
	tidy.Env = append(os.Environ(), "GOWORK=off")
	if out, err := tidy.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot resolve the modules of Kubernetes %s: %w\n%s", version, err, out)
	}
	return dir, nil
}

// goMod returns the go.mod of that version. Kubernetes' own replaces the modules of its
// ./staging, which its module does not have: they become those of the same release.
func goMod(ctx context.Context, version string) (string, error) {
	var module struct{ GoMod string }
	out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", "k8s.io/kubernetes@"+version).Output()
	if err != nil {
		return "", fmt.Errorf("cannot download Kubernetes %s: %w\n%s", version, err, out)
	}
	if err := json.Unmarshal(out, &module); err != nil {
		return "", err
	}
	out, err = exec.CommandContext(ctx, "go", "mod", "edit", "-json", module.GoMod).Output()
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", module.GoMod, err)
	}
	var own struct {
		Go      string
		Replace []struct {
			Old, New struct{ Path, Version string }
		}
	}
	if err := json.Unmarshal(out, &own); err != nil {
		return "", err
	}
	mod := fmt.Sprintf("module kube\n\ngo %s\n\nrequire k8s.io/kubernetes %s\n", own.Go, version)
	for _, replace := range own.Replace {
		if strings.HasPrefix(replace.New.Path, "./staging/") {
			mod += fmt.Sprintf("replace %s => %s %s\n", replace.Old.Path, replace.Old.Path, "v0"+strings.TrimPrefix(version, "v1"))
		}
	}
	return mod, nil
}
