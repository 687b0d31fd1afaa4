package tests

// Other waiting tools, which tests and benchmarks put beside startgate.

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var rivalsDir = flag.String("rivals", "", "`DIR` has the dockerize and wait4x to use, instead of those that testdata/rivals builds")

// rivals returns the folder that has dockerize and wait4x. It builds them once.
var rivals = sync.OnceValues(func() (string, error) {
	if *rivalsDir != "" {
		return filepath.Abs(*rivalsDir)
	}
	dir := filepath.Join(filepath.Dir(binary), "rivals")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/", "tool")
	build.Dir = "testdata/rivals"
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build testdata/rivals: %w\n%s", err, out)
	}
	return dir, nil
})

// rival returns the path of a tool: of testdata/rivals, or of this machine.
func rival(t testing.TB, name string) string {
	t.Helper()
	if name == "wait-for-it" {
		need(t, name, "bash")
		return name
	}
	dir, err := rivals()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}
