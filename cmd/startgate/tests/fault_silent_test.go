//go:build linux

package tests

// Faults: file systems that do not answer.

import (
	native "encoding/binary"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// silence is a file system whose daemon does not answer.
type silence struct {
	dir string
	// Whether the daemon reads what it is asked. If it does not, the kernel lets a thread
	// that waits for the answer be killed; if it does, the kernel holds the thread.
	reads bool
	// abort ends the file system: everything that waits for it gets an error.
	abort func()
}

// newSilence mounts one on a directory of its own.
func newSilence(t *testing.T, reads bool) *silence {
	t.Helper()
	dir, err := os.MkdirTemp("", "silent") // the name of the test has commas
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	return &silence{dir, reads, mountSilence(t, dir, "40000", reads)}
}

// mountSilence mounts one on a file or directory, and returns the function that ends it.
func mountSilence(t *testing.T, on, mode string, reads bool) (abort func()) {
	t.Helper()
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		skip(t, err.Error())
	}
	if err := unix.Mount("silent", on, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=%s,user_id=0,group_id=0", device.Fd(), mode)); err != nil {
		device.Close()
		skip(t, err.Error())
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if reads {
			beSilent(int(device.Fd()))
		}
	}()
	abort = sync.OnceFunc(func() {
		_ = unix.Unmount(on, unix.MNT_FORCE|unix.MNT_DETACH)
		<-served
		device.Close()
	})
	t.Cleanup(abort)
	return abort
}

// beSilent answers the first message of the kernel, FUSE_INIT, and reads the others, until
// the file system ends.
func beSilent(device int) {
	buffer := make([]byte, 1<<17)
	for first := true; ; first = false {
		_, err := unix.Read(device, buffer)
		for err == unix.EINTR {
			_, err = unix.Read(device, buffer)
		}
		if err != nil {
			return
		}
		if first {
			// fuse_out_header (length, error, number) and fuse_init_out (linux/fuse.h).
			answer := make([]byte, 16+64)
			native.NativeEndian.PutUint32(answer, uint32(len(answer)))
			copy(answer[8:16], buffer[8:16])
			native.NativeEndian.PutUint32(answer[16:], 7) // the version
			native.NativeEndian.PutUint32(answer[20:], 23)
			native.NativeEndian.PutUint32(answer[36:], 1<<12) // the largest write
			_, _ = unix.Write(device, answer)
		}
	}
}

// notAnswering is how the log names the fault.
const notAnswering = "no answer from the file system in time"

// silentRun is a startgate beside a silent file system.
type silentRun struct {
	*process
	*silence
	message string // the file of the termination message
}

// start starts startgate with these arguments and settings in a container's /dev.
func (s *silence) start(t *testing.T, settings []string, args ...string) silentRun {
	t.Helper()
	message := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(message, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "set -e" + inContainer + `mount --bind "$0" /dev/termination-log; exec "$@"`
	// Where the system's certificates are is for the targets that need them.
	p := startShown(t, settings, words("env", "SSL_CERT_FILE="+s.dir+"/x", "unshare", "--mount", "sh", "-c", script, message, binary, args)...)
	t.Cleanup(s.abort) // or it could not be killed
	return silentRun{p, s, message}
}

// saysWhy waits for the log line and the termination message of its end, which must come
// soon, and then for the end: at once, or when the file system ends.
func (r silentRun) saysWhy(code int, texts ...string) {
	r.Helper()
	began := time.Now()
	r.untilLog(fmt.Sprintf("code=%d", code))
	eventually(r, "the termination message", func() bool { text, _ := os.ReadFile(r.message); return len(text) > 0 })
	if took := time.Since(began); took > soon {
		r.Errorf("the reason comes after %v", took)
	}
	message, _ := os.ReadFile(r.message)
	for _, text := range texts {
		r.logHas(text)
		if !strings.Contains(string(message), text) {
			r.Errorf("the termination message does not say %q:\n%s", text, message)
		}
	}
	r.endsWith(code)
}

// endsWith waits for the end.
func (r silentRun) endsWith(code int) {
	r.Helper()
	if r.reads {
		r.abort()
	}
	began := time.Now()
	r.ends(code)
	if took := time.Since(began); took > soon {
		r.Errorf("the end comes after %v", took)
	}
}

// targetsOn returns targets on a silent file system.
func targetsOn(t *testing.T, dir string) []string {
	secured := httptest.NewTLSServer(nil)
	t.Cleanup(secured.Close)
	return []string{"file://" + dir + "/x", "unix://" + dir + "/x", secured.URL + "/#ca=" + dir + "/x", secured.URL}
}

// silentTargets is the fault in the targets that are files.
func silentTargets(t *testing.T, reads bool) {
	needRoot(t)
	need(t, "unshare", "mount", "mktemp")
	inTurn := func(name string, test func(t *testing.T, s *silence, target string)) {
		for i, kind := range []string{"file", "unix", "ca", "system's certificates"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				s := newSilence(t, reads)
				test(t, s, "WAIT_FOR="+targetsOn(t, s.dir)[i])
			})
		}
	}
	short := []string{"TIMEOUT=500ms", "ATTEMPT_TIMEOUT=100ms"}
	inTurn("time-out", func(t *testing.T, s *silence, target string) {
		s.start(t, append(short, target), "--", "true").saysWhy(codeTimeout, notAnswering)
	})
	inTurn("--wait", func(t *testing.T, s *silence, target string) {
		s.start(t, append(short, target), "--wait").saysWhy(codeTimeout, notAnswering)
	})
	inTurn("TERM", func(t *testing.T, s *silence, target string) {
		r := s.start(t, []string{target, "ATTEMPT_TIMEOUT=100ms"}, "--", "true")
		r.untilLog(notAnswering)
		r.send(unix.SIGTERM)
		r.saysWhy(128+int(unix.SIGTERM), "ended by SIGTERM")
	})
	inTurn("start all the same", func(t *testing.T, s *silence, target string) {
		r := s.start(t, append(short, target, "ON_TIMEOUT=start"), "--", program(t, "fault"), "app")
		r.startsSupervised()
	})
}

// startsSupervised waits for the application, whose end must be startgate's.
func (r silentRun) startsSupervised() {
	r.Helper()
	r.untilOut("ready,")
	r.send(unix.SIGTERM)
	r.untilLog("fault exited")
	r.logHas("level=WARN", "a file system does not answer, and would hold up execve: supervising instead of replacing", "mode=supervise")
	r.endsWith(42)
}

func unreadFileSystem(t *testing.T) { silentFileSystem(t, false) }
func heldFileSystem(t *testing.T)   { silentFileSystem(t, true) }

func silentFileSystem(t *testing.T, reads bool) {
	silentTargets(t, reads)
	t.Run("metrics", func(t *testing.T) {
		t.Parallel()
		s := newSilence(t, reads)
		r := s.start(t, []string{"WAIT_FOR=none", "METRICS=" + s.dir + "/x.prom"}, "--", program(t, "fault"), "app")
		r.startsSupervised()
		r.logHas("cannot write metrics to " + s.dir + "/x.prom: " + notAnswering)
		if !reads { // otherwise the file system ends before
			r.logHas("cannot write metrics to " + s.dir + "/x.prom: no answer yet from the file system")
		}
	})
	t.Run("metrics, answers again", func(t *testing.T) {
		t.Parallel()
		s := newSilence(t, reads)
		r := s.start(t, []string{"WAIT_FOR=none", "METRICS=" + s.dir + "/x.prom"}, "--", program(t, "fault"), "app")
		r.untilOut("ready,")
		s.abort()
		time.Sleep(100 * time.Millisecond) // until the first write has returned
		r.send(unix.SIGTERM)
		r.ends(42)
		r.logHas("cannot write metrics to " + s.dir + "/x.prom: transport endpoint is not connected")
	})
	for name, how := range map[string]func(r silentRun, gate string){
		"ready": func(r silentRun, gate string) {
			if err := os.WriteFile(gate, []byte("open"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.startsSupervised()
		},
		"TERM": func(r silentRun, _ string) {
			r.send(unix.SIGTERM)
			r.saysWhy(128+int(unix.SIGTERM), "ended by SIGTERM")
		},
	} {
		t.Run("metrics, while it waits, "+name, func(t *testing.T) {
			t.Parallel()
			s := newSilence(t, reads)
			gate := filepath.Join(t.TempDir(), "gate")
			r := s.start(t, []string{"WAIT_FOR=file://" + strings.ReplaceAll(gate, ",", "%2C"), "METRICS=" + s.dir + "/x.prom"}, "--", program(t, "fault"), "app")
			r.untilLog("cannot write metrics to " + s.dir + "/x.prom: " + notAnswering)
			how(r, gate)
		})
	}
	t.Run("program, time-out", func(t *testing.T) {
		t.Parallel()
		s := newSilence(t, reads)
		r := s.start(t, []string{"WAIT_FOR=none", "TIMEOUT=500ms"}, "--", s.dir+"/app")
		r.saysWhy(codeTimeout, "cannot run "+s.dir+"/app: "+notAnswering)
	})
	t.Run("program, TERM", func(t *testing.T) {
		t.Parallel()
		s := newSilence(t, reads)
		r := s.start(t, []string{"WAIT_FOR=none"}, "--", s.dir+"/app")
		eventually(r, "the look for the program", func() bool { return waitsForFUSE(r.pid()) })
		r.send(unix.SIGTERM)
		r.saysWhy(128+int(unix.SIGTERM), "ended by SIGTERM")
	})
	t.Run("install, TERM", func(t *testing.T) {
		t.Parallel()
		s := newSilence(t, reads)
		r := s.start(t, nil, "--install", s.dir+"/app")
		eventually(r, "the look for the file", func() bool { return waitsForFUSE(r.pid()) })
		r.send(unix.SIGTERM)
		r.untilLog("ended by SIGTERM")
		r.endsWith(128 + int(unix.SIGTERM))
	})
	t.Run("check", func(t *testing.T) {
		t.Parallel()
		s := newSilence(t, reads)
		r := s.start(t, []string{"WAIT_FOR=" + strings.Join(targetsOn(t, s.dir), ",")}, "--check")
		r.untilOut("MODE")
		r.endsWith(0)
	})
	t.Run("termination log", func(t *testing.T) {
		t.Parallel()
		s := &silence{reads: reads}
		message := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(message, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.abort = mountSilence(t, message, "100644", reads)
		script := "set -e" + inContainer + `mount --bind "$0" /dev/termination-log; exec "$@"`
		p := startShown(t, []string{"WAIT_FOR=file:///missing", "TIMEOUT=100ms"},
			"unshare", "--mount", "sh", "-c", script, message, binary, "--", "true")
		t.Cleanup(s.abort)
		p.untilLog("code=124")
		silentRun{p, s, ""}.endsWith(codeTimeout)
	})
}

// waitsForFUSE reports whether a thread of a process waits for FUSE.
func waitsForFUSE(pid int) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stack", pid))
	for _, file := range files {
		if stack, _ := os.ReadFile(file); strings.Contains(string(stack), "fuse_") {
			return true
		}
	}
	return false
}

// A pipe that nobody reads, in the place of the termination log, holds up nothing.
func TestTerminationLogIsAPipe(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount", "mkfifo")
	const script = `rm /dev/termination-log; mkfifo /dev/termination-log; exec "$@"`
	p := start(t, command([]string{"WAIT_FOR=file:///missing", "TIMEOUT=100ms"}, "unshare", "--mount", "sh", "-c", inContainer+script, "sh", binary, "--", "true"))
	p.ends(codeTimeout)
	if p.took > soon {
		p.Errorf("it took %v", p.took)
	}
}
