package podtest

// Helpers: the images of the pods, built from the examples' Dockerfiles and from what
// the machine has.

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The images. Those that users take from a registry have their own names here, but are
// made of programs of this machine.
const (
	startgateImage = "registry.example/startgate:1"
	appImage       = "registry.example/app:1"
	standinImage   = "localhost/standin:1"
	shellImage     = "localhost/shell:1" // busybox, with startgate in front
	busyboxImage   = "docker.io/library/busybox:stable"
	golangImage    = "docker.io/library/golang:1.26"
	pauseImage     = "localhost/pause:1"
)

// releaseArgs are what a release passes to the build of startgateImage.
var releaseArgs = []string{"--build-arg", "VERSION=v1.2.3", "--build-arg", "REVISION=abc"}

// busyboxFiles is the Dockerfile of an image that has busybox.
const busyboxFiles = `
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /tmp && chmod 1777 /tmp
`

// golangFiles is a Dockerfile for as much of the golang image as this repository's
// Dockerfiles use. Go itself and its caches are mounted.
const golangFiles = `
FROM ` + busyboxImage + `
RUN mkdir -p /cache /go /usr/local/go
ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOCACHE=/cache GOTOOLCHAIN=local
`

const shellFiles = `
FROM ` + busyboxImage + `
COPY --from=` + startgateImage + ` /startgate /startgate
ENTRYPOINT ["/startgate", "--"]
`

// pauseFiles is the Dockerfile of the container that holds a pod's network.
const pauseFiles = `
FROM ` + busyboxImage + `
ENTRYPOINT ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 2147483647 & wait; done"]
`

// buildImages builds the images that most tests use.
func (n *node) buildImages() error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	binary, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	if err := os.Mkdir(n.file("context"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(n.file("context/busybox"), binary, 0o755); err != nil {
		return err
	}
	// So that the Dockerfile's own go mod download needs no network.
	if out, err := exec.Command("go", "mod", "download").CombinedOutput(); err != nil {
		return fmt.Errorf("go mod download: %w\n%s", err, out)
	}
	for _, image := range []struct {
		name, dockerfile, context string
		options                   []string
	}{
		{busyboxImage, busyboxFiles, n.file("context"), nil},
		{pauseImage, pauseFiles, n.file("context"), nil},
		{golangImage, golangFiles, n.file("context"), nil},
		{startgateImage, "../Dockerfile", "..", releaseArgs},
		{appImage, "app/Dockerfile", "..", nil},
		{standinImage, "standin/Dockerfile", "..", nil},
		{shellImage, shellFiles, n.file("context"), nil},
	} {
		if _, err := n.buildImage(image.name, image.dockerfile, image.context, image.options...); err != nil {
			return err
		}
	}
	return nil
}

// buildImage builds an image and returns its ID. The Dockerfile is the name of a file,
// or the text itself.
func (n *node) buildImage(image, dockerfile, context string, options ...string) (string, error) {
	if strings.Contains(dockerfile, "\n") {
		file := n.file("Dockerfile")
		if err := os.WriteFile(file, []byte(dockerfile), 0o600); err != nil {
			return "", err
		}
		dockerfile = file
	}
	mounts, err := goMounts()
	if err != nil {
		return "", err
	}
	args := append([]string{
		"bud", "--quiet", "--isolation", "chroot", "--pull-never", "--timestamp", "0",
		// Debian's buildah does not set it.
		"--build-arg", "BUILDPLATFORM=linux/" + strings.TrimSpace(goEnv("GOHOSTARCH")),
		"--tag", image, "--file", dockerfile,
	}, mounts...)
	return n.run("buildah", append(append(args, options...), context)...)
}

// goMounts returns the options that mount this machine's Go and its caches.
func goMounts() ([]string, error) {
	var args []string
	for name, inside := range map[string]string{"GOROOT": "/usr/local/go:ro", "GOMODCACHE": "/go/pkg/mod", "GOCACHE": "/cache"} {
		dir := goEnv(name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot use %s: %w", name, err)
		}
		args = append(args, "--volume", filepath.Clean(dir)+":"+inside)
	}
	return args, nil
}

// goEnv returns a variable of the go command.
func goEnv(name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
