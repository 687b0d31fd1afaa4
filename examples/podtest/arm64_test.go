//go:build linux

package podtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const arm64Image = "localhost/startgate-arm64:1"

// The image for arm64 is built on this machine, which runs nothing of arm64. Its
// containers have the emulator mounted at /qemu, in front of each program: so the
// kernel need not know it (binfmt_misc). The application is mounted, too.
//
// The emulator of Debian 12 (QEMU 7.2) leaves these to the tests on a machine's own
// architecture:
//   - execve of a program for arm64: the kernel is asked, and refuses;
//   - PR_SET_CHILD_SUBREAPER, thus reaping orphans when startgate is not PID 1;
//   - what startgate looks like from outside: its process is the emulator's, with its
//     threads, memory and /proc/PID/exe.
func TestARM64(t *testing.T) {
	host.ready(t)
	need(t, "qemu-aarch64-static")
	emulator, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.bud(arm64Image, "../Dockerfile", "..", "--platform", "linux/arm64"); err != nil {
		t.Fatal(err)
	}
	if got := host.podman(t, "image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", arm64Image); got != "linux/arm64" {
		t.Errorf("its platform is %s", got)
	}
	application := filepath.Join(t.TempDir(), "app")
	build := exec.Command("go", "build", "-o", application, "./app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	for flag, want := range map[string]string{"--version": " linux/arm64", "--help": "STARTGATE_WAIT_FOR"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			out := host.podman(t, "run", "--rm", "--pull", "never", "--platform", "linux/arm64", "--network", "none",
				"--volume", emulator+":/qemu:ro", "--entrypoint", "/qemu", arm64Image, "/startgate", flag)
			if !strings.Contains(out, want) {
				t.Errorf("it does not print %q:\n%s", want, out)
			}
		})
	}

	// pod has an application that works until TERM, and ends with 1 then.
	pod := func(settings ...string) object {
		app := object{
			"name": "app", "image": arm64Image,
			"command": []any{"/qemu", "/startgate", "--", "/qemu", "/app", "--work", "1h"},
			"volumeMounts": []any{
				object{"name": "qemu", "mountPath": "/qemu", "readOnly": true},
				object{"name": "app", "mountPath": "/app", "readOnly": true},
			},
		}
		setEnv(app, settings...)
		return inject(object{
			"apiVersion": "v1", "kind": "Pod",
			"metadata": object{"name": "arm64"},
			"spec": object{
				"restartPolicy": "Never",
				"volumes": []any{
					object{"name": "qemu", "hostPath": object{"path": emulator, "type": "File"}},
					object{"name": "app", "hostPath": object{"path": application, "type": "File"}},
				},
				"containers": []any{app},
			},
		}, late...)
	}
	for mode, settings := range map[string][]string{"replace": nil, "supervise": {"STARTGATE_SUPERVISE=true"}} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := play(t, pod(settings...))
			p.startsAfter("app", "istio-proxy")
			p.stopsWith("app", 1)
			p.says("app", "istio is ready", "mode="+mode, "app: not done: ")
			if isOver := strings.Contains(p.log("app"), `/qemu is over" code=1 `); isOver != (mode == "supervise") {
				t.Errorf("startgate saw the application's end: %t", isOver)
			}
		})
		t.Run(mode+", TERM during the wait", func(t *testing.T) {
			t.Parallel()
			p := play(t, pod(settings...))
			p.until("app", "is not ready yet", 1)
			p.stopsWith("app", 128+int(syscall.SIGTERM))
			p.says("app", "ended by SIGTERM while istio was not ready")
			if strings.Contains(p.log("app"), "app starts") {
				t.Error("the application was started")
			}
		})
	}
}

// stopsWith stops the pod, which must end at once, and a container with this code.
func (p *pod) stopsWith(name string, code int) {
	p.Helper()
	began := time.Now()
	p.stop(grace)
	if s, took := p.state(name), time.Since(began); s.ExitCode != code || took > grace/2 {
		p.Errorf("code %d after %v, want %d at once", s.ExitCode, took, code)
	}
}
