package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// The document has what go version -m says, and nothing else.
func TestDescribes(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "startgate")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/startgate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	var stdout bytes.Buffer
	if err := run([]string{binary}, &stdout); err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Metadata.Timestamp != "2023-11-14T22:13:20Z" {
		t.Errorf("its time is %s", got.Metadata.Timestamp)
	}
	program := got.Metadata.Component
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(text)); len(program.Hashes) != 1 || program.Hashes[0].Content != want {
		t.Errorf("the binary's hash is %v, want %s", program.Hashes, want)
	}
	const prefix, suffix = "pkg:golang/github.com/startgate/startgate@", "?goarch=arm64&goos=linux#cmd/startgate"
	if !strings.HasPrefix(program.PURL, prefix) || !strings.HasSuffix(program.PURL, suffix) {
		t.Errorf("the binary is %s", program.PURL)
	}
	var modules []string
	for _, c := range got.Components {
		if c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("%s %s is %s", c.Name, c.Version, c.PURL)
		}
		if c.Name != "stdlib" {
			modules = append(modules, c.Name+" "+c.Version)
		} else if c.Version != strings.TrimPrefix(strings.Fields(runtime.Version())[0], "go") {
			t.Errorf("the version of Go is %s, want %s", c.Version, runtime.Version())
		}
	}
	if want := modulesIn(t, binary); len(want) < 5 || strings.Join(modules, "\n") != strings.Join(want, "\n") {
		t.Errorf("it has %q, want %q", modules, want)
	}
}

// modulesIn returns the modules that go version -m tells of.
func modulesIn(t *testing.T, binary string) (modules []string) {
	t.Helper()
	out, err := exec.Command("go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); fields[0] == "dep" {
			modules = append(modules, fields[1]+" "+fields[2])
		}
	}
	return modules
}

// A sum as go.sum has it becomes one as sha256sum prints it.
func TestSum(t *testing.T) {
	c := module("library", &debug.Module{Path: "example.com/m", Version: "v2.0.0+incompatible", Sum: "h1:C3Sk1sjBpKxNGhpsmxs9awo7HwwdLj9AUWJzhJWmt8g="})
	const want = "0b74a4d6c8c1a4ac4d1a1a6c9b1b3d6b0a3b1f0c1d2e3f405162738495a6b7c8"
	if len(c.Hashes) != 1 || c.Hashes[0] != (hash{"SHA-256", want}) {
		t.Errorf("%v, want %s", c.Hashes, want)
	}
	if c.PURL != "pkg:golang/example.com/m@v2.0.0%2Bincompatible" {
		t.Errorf("it is %s", c.PURL)
	}
}

func TestMistakes(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, epoch, want string
		args              []string
	}{
		{"no binary", "", "write sbom BINARY", nil},
		{"not of Go", "", "main.go", []string{"main.go"}},
		{"no time", "today", `SOURCE_DATE_EPOCH="today": write seconds since 1970`, []string{self}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("SOURCE_DATE_EPOCH", test.epoch)
			if err := run(test.args, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
