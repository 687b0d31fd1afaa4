package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// BuildPrograms returns a folder with programs of the module in the folder source. They are
// built once per machine, and again when the module has changed.
func BuildPrograms(ctx context.Context, source string, packages []string, say func(string)) (string, error) {
	flags := []string{"-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags=-s -w"}
	name := filepath.Base(filepath.Dir(source)) + "-" + filepath.Base(source)
	key, err := keyOfPrograms(source, fmt.Sprint(packages, flags))
	if err != nil {
		return "", err
	}
	return Cached(ctx, name+"-"+key, func(bin string) error {
		say("building " + name + ", once on this machine: that takes some minutes")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			return err
		}
		args := append(append([]string{"build"}, flags...), "-o", bin+"/")
		build := exec.CommandContext(ctx, "go", append(args, packages...)...)
		build.Dir = source
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOGC=400", "GOWORK=off") // GOGC: a fifth less CPU
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build %s: %w\n%s", name, err, out)
		}
		return nil
	})
}

// keyOfPrograms returns a name for what is built from the module.
func keyOfPrograms(source, how string) (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), how)
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
