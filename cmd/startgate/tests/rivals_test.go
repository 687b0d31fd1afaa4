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

// waitOn returns the path of wait-on, which npm installs once where this machine has none.
var waitOn = sync.OnceValues(func() (string, error) {
	if path, err := exec.LookPath("wait-on"); err == nil {
		return path, nil
	}
	dir := filepath.Join(filepath.Dir(binary), "npm")
	if out, err := exec.Command("npm", "install", "--prefix", dir, "wait-on@9.5.1").CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot install wait-on: %w\n%s", err, out)
	}
	return filepath.Join(dir, "node_modules", ".bin", "wait-on"), nil
})

// rival returns the path of a tool, or skips the test on a machine that cannot have it.
func rival(t testing.TB, name string) string {
	t.Helper()
	if name == "wait-for-it" {
		need(t, name, "bash")
	}
	path, err := findRival(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// findRival returns the path of a tool: of testdata/rivals, of npm, or of this machine.
func findRival(name string) (string, error) {
	switch name {
	case "dockerize", "wait4x":
		dir, err := rivals()
		return filepath.Join(dir, name), err
	case "wait-on":
		return waitOn()
	}
	return exec.LookPath(name)
}
