package podtest

// Helpers: the programs under internal/, which are modules of their own.

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"sync"
)

// These build a program, once for all tests, and return where it is.
var (
	fleetTool     = buildOnce("fleet")
	manifestsTool = buildOnce("manifests")
)

func buildOnce(name string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		binary := host.file(name)
		build := exec.Command("go", "build", "-C", "internal/"+name, "-buildvcs=false", "-o", binary, ".")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("cannot build internal/%s: %w\n%s", name, err, out)
		}
		return binary, nil
	})
}

// runTool runs one of these programs and returns what it prints. If it fails, the error
// is what it prints to standard error.
func runTool(tool func() (string, error), args ...string) ([]byte, error) {
	binary, err := tool()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", binary, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}
