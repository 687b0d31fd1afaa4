package podtest

// The compose example: an image with startgate where there is no pod. Redis and PostgreSQL
// are those of this machine, in images with the names that compose.yaml has.

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	composeFile   = "compose/compose.yaml"
	redisImage    = "docker.io/library/redis:7"
	postgresImage = "docker.io/library/postgres:16"
)

const redisFiles = `
FROM ` + busyboxImage + `
COPY . /
ENTRYPOINT ["/usr/bin/redis-server", "--protected-mode", "no", "--save", ""]
`

const postgresFiles = `
FROM ` + busyboxImage + `
COPY . /
RUN echo postgres:x:999:999::/tmp:/bin/sh >/etc/passwd
USER 999:999
ENTRYPOINT ["sh", "-ec", "initdb --pgdata /tmp/db --no-locale; exec postgres -D /tmp/db -h '*' -k /tmp"]
`

// buildServers builds the images of the compose file's services from Debian's packages.
func buildServers(t testing.TB) {
	t.Helper()
	need(t, "redis-server", "ldd")
	postgres, _ := filepath.Glob("/usr/lib/postgresql/*")
	if len(postgres) == 0 {
		missing(t, "postgresql")
	}
	version := postgres[len(postgres)-1]
	bin := version + "/bin/"
	for image, server := range map[string]struct {
		dockerfile string
		programs   []string
		others     []string
	}{
		redisImage: {redisFiles, []string{"/usr/bin/redis-server"}, nil},
		postgresImage: {
			strings.Replace(postgresFiles, "USER", "ENV PATH="+bin+":/bin\nUSER", 1),
			[]string{bin + "postgres", bin + "initdb"},
			[]string{version + "/lib", "/usr/share/postgresql/" + filepath.Base(version)},
		},
	} {
		root := t.TempDir()
		files := append(server.programs, server.others...)
		for _, program := range server.programs {
			files = append(files, libraries(t, program)...)
		}
		copyTo(t, root, files)
		if _, err := host.buildImage(image, server.dockerfile, root); err != nil {
			t.Fatal(err)
		}
	}
}

// libraries returns the shared libraries of a program.
func libraries(t testing.TB, program string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ldd", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`/lib\S+`).FindAllString(string(out), -1)
}

// copyTo copies files and folders to the same paths below root. Of symbolic links it copies
// what they lead to.
func copyTo(t testing.TB, root string, paths []string) {
	t.Helper()
	for _, path := range paths {
		to := filepath.Join(root, filepath.Dir(path))
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "cp", "--recursive", "--dereference", path, to).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// With compose the application starts when Redis and PostgreSQL answer.
func TestCompose(t *testing.T) {
	needPods(t)
	need(t, "podman-compose")
	for _, program := range []string{"netavark", "aardvark-dns"} {
		if _, err := os.Stat("/usr/lib/podman/" + program); err != nil {
			missing(t, program)
		}
	}
	buildServers(t)
	t.Parallel()
	port := freePort(t)
	compose := func(args ...string) {
		cmd := host.command("podman-compose", append([]string{"--project-name", "composetest", "--file", composeFile}, args...)...)
		cmd.Env = append(cmd.Env, "PORT="+port)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("podman-compose %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	t.Cleanup(func() { compose("down", "--timeout", "1") })
	compose("up", "--detach")

	eventually(t, "the application answers at the port of the compose file", func() bool {
		response, err := http.Get("http://127.0.0.1:" + port + "/healthz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return err == nil && string(text) == "ok\n"
	})
	log := containerLog(t, "composetest_app_1")
	rest := log
	for _, want := range []string{"waiting for redis://cache", "redis://cache is ready", "waiting for postgres://db", "postgres://db is ready", "starting /app", "app starts"} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Errorf("the log has no %q, or not there:\n%s", want, log)
		}
		rest = after
	}
	for name, want := range map[string]string{"composetest_cache_1": "Ready to accept connections", "composetest_db_1": "ready to accept connections"} {
		if log := containerLog(t, name); !strings.Contains(log, want) {
			t.Errorf("%s: the log has no %q:\n%s", name, want, log)
		}
	}
}

// containerLog returns what a container has printed on both of its streams.
func containerLog(t testing.TB, name string) string {
	t.Helper()
	out, err := host.command("podman", "logs", name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// Outside of a pod, STARTGATE_WAIT_FOR=none starts the application at once.
func TestRunWithoutPod(t *testing.T) {
	needPods(t)
	out, err := host.command("podman", "run", "--rm", "--network", "none", "--pull", "never", "-e", "STARTGATE_WAIT_FOR=none",
		appImage, "/app", "--work", "1ms").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "app is done") || strings.Contains(string(out), "waiting for") {
		t.Errorf("%v\n%s", err, out)
	}
}

// freePort returns a port of this machine at which nothing listens.
func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
}
