//go:build linux

package podtest

// The image that the Dockerfile builds: what it has, that two builds are the same, its
// labels, and the Dockerfile that the README shows.

import (
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// imageLimit is the largest size of the image, in bytes.
const imageLimit = 11e6

// The image has one small file, and runs as a user that is not root.
func TestImageContents(t *testing.T) {
	needNode(t)
	var images []struct {
		Size         int64
		Os           string
		Architecture string
		Labels       map[string]string
		Config       struct {
			User       string
			Entrypoint []string
			Cmd        []string
		}
	}
	if err := json.Unmarshal([]byte(host.podman(t, "image", "inspect", startgateImage)), &images); err != nil {
		t.Fatal(err)
	}
	image := images[0]
	if image.Size >= imageLimit {
		t.Errorf("%d bytes", image.Size)
	}
	t.Logf("%d bytes", image.Size)
	if image.Config.User != "65532:65532" || strings.Join(image.Config.Entrypoint, " ") != "/startgate --" || len(image.Config.Cmd) > 0 {
		t.Errorf("%+v", image.Config)
	}
	for label, want := range map[string]string{"title": "startgate", "description": "", "source": "", "version": "v1.2.3", "revision": "abc"} {
		if got, ok := image.Labels["org.opencontainers.image."+label]; !ok || want != "" && got != want {
			t.Errorf("the label %s is %q", label, got)
		}
	}
	if got := files(t, startgateImage); len(got) != 1 || got["startgate"] == nil || got["startgate"].Mode() != 0o755 {
		t.Errorf("it has %v, want startgate alone", got)
	}
}

// files returns the files of an image by their paths.
func files(t testing.TB, image string) map[string]fs.FileInfo {
	t.Helper()
	all := map[string]fs.FileInfo{}
	root := mounted(t, image)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := entry.Info()
		all[strings.TrimPrefix(path, root+"/")] = info
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// mounted returns the folder that has an image's files.
func mounted(t testing.TB, image string) string {
	t.Helper()
	t.Cleanup(func() { host.podman(t, "image", "unmount", image) })
	return host.podman(t, "image", "mount", image)
}

// Another build makes the same image, from another folder and files of other times. Its
// binary is the one that anybody gets from the same sources with the same Go.
func TestImageIsReproducible(t *testing.T) {
	needPods(t)
	elsewhere := t.TempDir()
	if out, err := exec.Command("cp", "--recursive", "../Dockerfile", "../.dockerignore", "../go.mod", "../go.sum",
		"../cmd", "../exec", "../wait", elsewhere).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "README.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const other = "localhost/other"
	if _, err := host.buildImage(other, filepath.Join(elsewhere, "Dockerfile"), elsewhere, append(releaseArgs, "--no-cache")...); err != nil {
		t.Fatal(err)
	}
	ids := host.podman(t, "image", "inspect", "--format", "{{.Id}}", startgateImage, other)
	if one, two, _ := strings.Cut(ids, "\n"); one == "" || one != two {
		t.Errorf("two builds:\n%s", ids)
	}
	binary := filepath.Join(t.TempDir(), "startgate")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, "../cmd/startgate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if sum(t, binary) != sum(t, filepath.Join(mounted(t, other), "startgate")) {
		t.Error("go build makes another binary")
	}
}

func sum(t testing.TB, file string) [sha256.Size]byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(text)
}

// Images that come from a registry have its name: Debian's buildah and podman refuse short
// names.
func TestDockerfilesNameRegistries(t *testing.T) {
	for _, file := range []string{"../Dockerfile", "app/Dockerfile", "standin/Dockerfile", "../README.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		from := regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+)`).FindAllStringSubmatch(string(text), -1)
		if len(from) < 2 {
			t.Errorf("%s has only %q", file, from)
		}
		for _, image := range from {
			if image[1] != "scratch" && !strings.Contains(image[1], "/") {
				t.Errorf("%s: FROM %s has no registry", file, image[1])
			}
		}
	}
}

// The README's Dockerfile, with a clone of this repository and an application beside it.
func TestREADMEDockerfile(t *testing.T) {
	needPods(t)
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, dockerfile, _ := strings.Cut(string(readme), "```dockerfile\nFROM ")
	dockerfile, _, found := strings.Cut("FROM "+dockerfile, "```\n")
	if !found {
		t.Fatal("README.md has no Dockerfile")
	}
	context := t.TempDir()
	clone := exec.CommandContext(t.Context(), "sh", "-c", `mkdir "$0" && cp -r cmd exec wait go.mod go.sum "$0"`, filepath.Join(context, "startgate"))
	clone.Dir = ".."
	if out, err := clone.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(context, "app"), "./app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const image = "localhost/readme"
	if _, err := host.buildImage(image, dockerfile, context); err != nil {
		t.Fatal(err)
	}
	run := []string{"run", "--rm", "--network", "none", "--pull", "never", "--env", "STARTGATE_WAIT_FOR=file:///app", image}
	if out := host.podman(t, append(run, "/app", "--work", "1ms")...); !strings.Contains(out, "app is done") {
		t.Errorf("the application prints\n%s", out)
	}
	if out, err := host.run("podman", run...); err == nil || !strings.Contains(err.Error()+out, "flag provided but not defined: -flag") {
		t.Errorf("the image's own arguments are not the application's: %v\n%s", err, out)
	}
}

// The two lines that the README begins with are those of the example that the tests run.
func TestREADMETwoLines(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile("app/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(readme), "```dockerfile\n")
	lines, _, _ = strings.Cut(lines, "```\n")
	if strings.Count(lines, "\n") != 2 {
		t.Errorf("the first Dockerfile of README.md has not two lines:\n%s", lines)
	}
	for line := range strings.Lines(lines) {
		if !strings.Contains(string(dockerfile), "\n"+line) {
			t.Errorf("examples/app/Dockerfile has no %s", line)
		}
	}
}

// The README's line for an image outside Kubernetes, with an application that soon ends.
func TestREADMEDockerRun(t *testing.T) {
	needPods(t)
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, line, found := strings.Cut(string(readme), "\ndocker run ")
	line, _, _ = strings.Cut(line, "\n")
	if !found {
		t.Fatal("README.md has no docker run")
	}
	run := append([]string{"run", "--rm", "--network", "none", "--pull", "never"}, strings.Fields(line)...)
	out := host.podman(t, append(run, "/app", "--work", "1ms")...)
	if !strings.Contains(out, "app is done") {
		t.Errorf("%s prints\n%s", line, out)
	}
}
