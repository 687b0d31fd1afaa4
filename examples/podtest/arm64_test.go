//go:build linux

package podtest

// The image for arm64, built on this machine and run by an emulator.

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const arm64Image = "localhost/startgate-arm64:1"

// The image for arm64 is built on this machine, which runs no program for arm64. So its
// containers have an emulator mounted at /qemu, in front of each program, and the kernel
// need not know that emulator (binfmt_misc). The application is mounted, too.
//
// With the emulator of Debian 12 (QEMU 7.2) this cannot be tested here, only on the
// machine's own architecture:
//   - execve of a program for arm64: the kernel refuses it;
//   - PR_SET_CHILD_SUBREAPER, thus reaping orphans when startgate is not PID 1;
//   - startgate as seen from outside: the process is the emulator's, with the emulator's
//     threads, memory and /proc/PID/exe.
func TestARM64Image(t *testing.T) {
	need(t, "qemu-aarch64-static")
	needPods(t)
	emulator, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.buildImage(arm64Image, "../Dockerfile", "..", "--platform", "linux/arm64"); err != nil {
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

	// newPod returns a pod whose application works until TERM, and then exits with 1.
	newPod := func(settings ...string) object {
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
		}, holdReady...)
	}
	for mode, settings := range map[string][]string{"replace": nil, "supervise": {"STARTGATE_SUPERVISE=true"}} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := startPod(t, newPod(settings...))
			p.checkStartsWhenReady("app", "istio-proxy")
			p.checkStop("app", 1)
			p.checkLog("app", "istio is ready", "mode="+mode, "app: not done: ")
			if saw := strings.Contains(p.log("app"), logExited("/qemu", 1)); saw != (mode == "supervise") {
				t.Errorf("startgate saw the application exit: %t", saw)
			}
		})
		t.Run(mode+", TERM during the wait", func(t *testing.T) {
			t.Parallel()
			p := startPod(t, newPod(settings...))
			p.waitForLog("app", "is not ready yet", 1)
			p.checkStop("app", 128+int(syscall.SIGTERM))
			p.checkLog("app", "ended by SIGTERM while istio was not ready")
			if strings.Contains(p.log("app"), "app starts") {
				t.Error("the application was started")
			}
		})
	}
}
