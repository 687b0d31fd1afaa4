package wait

// This file covers file systems that do not answer.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// silentMount mounts a file system whose daemon does not answer. Either it does not even
// read what it is asked, so the kernel lets a thread that waits for it be killed, or it
// reads that and is silent, so the kernel holds the thread. The function that is returned
// ends the file system; everything that waits for it then gets an error.
func silentMount(t *testing.T, reads bool) (dir string, end func()) {
	t.Helper()
	needRoot(t)
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		skip(t, err)
	}
	dir = t.TempDir()
	if err := unix.Mount("silent", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device.Fd())); err != nil {
		device.Close()
		skip(t, err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if reads {
			beSilent(t, int(device.Fd()))
		}
	}()
	end = func() {
		_ = unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH)
		<-served
		device.Close()
	}
	t.Cleanup(end)
	return dir, end
}

// beSilent answers the first message of the kernel, FUSE_INIT, and reads the others, until
// the file system ends.
func beSilent(t *testing.T, device int) {
	buffer := make([]byte, 1<<17)
	for first := true; ; first = false {
		_, err := unix.Read(device, buffer)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return
		case first:
			// fuse_out_header (length, error, number) and fuse_init_out (linux/fuse.h).
			answer := make([]byte, 16+64)
			binary.NativeEndian.PutUint32(answer, uint32(len(answer)))
			copy(answer[8:16], buffer[8:16])
			binary.NativeEndian.PutUint32(answer[16:], 7) // the version
			binary.NativeEndian.PutUint32(answer[20:], 23)
			binary.NativeEndian.PutUint32(answer[36:], 1<<12) // the largest write
			if _, err := unix.Write(device, answer); err != nil {
				t.Error(err)
			}
		}
	}
}

// A wait once went on for as long as the file system was silent, whatever its deadline.
func TestFileSystemThatDoesNotAnswer(t *testing.T) {
	for _, reads := range []bool{false, true} {
		for _, url := range []string{"file://%s/x", "unix://%s/x", "https://127.0.0.1:%[2]s/#ca=%[1]s/x"} {
			name, _, _ := strings.Cut(url, ":")
			t.Run(fmt.Sprintf("%s, the daemon reads: %t", name, reads), func(t *testing.T) {
				dir, end := silentMount(t, reads)
				_, port, _ := strings.Cut(serve(t, "127.0.0.1:0", hang), ":")
				target := mustParse(t, fmt.Sprintf(url+"%.0[2]s", dir, port))
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				began := time.Now()
				err := For(ctx, target, Policy{Attempt: 100 * time.Millisecond})
				var timeout *TimeoutError
				if !errors.As(err, &timeout) || !strings.HasSuffix(timeout.Last.Detail, "no answer from the file system in time") {
					t.Errorf("error is %v", err)
				}
				reach := NotAnswered
				if name == "https" {
					reach = Connected // the CA is read after that
				}
				if timeout.Last.Reach() != reach || timeout.Probes.Total() < 2 {
					t.Errorf("it came to %d in %v", timeout.Last.Reach(), timeout.Probes)
				}
				if took := time.Since(began); took > slack {
					t.Errorf("it took %v", took)
				}
				if !target.Held() {
					t.Error("no system call is left behind, so this shows nothing")
				}
				end()
				for deadline := time.Now().Add(patience); target.Held(); time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatal("the system call does not return")
					}
				}
			})
		}
	}
}

// A pipe that nobody writes to was once read, before any deadline, when #ca named it.
func TestPipeInsteadOfCertificates(t *testing.T) {
	pipe := t.TempDir() + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Parse("https://db/#ca=" + pipe)
	if err == nil || !strings.Contains(err.Error(), "it is not a regular file") {
		t.Errorf("error is %v", err)
	}
	wantAnswer(t, "file://"+pipe, NotReady, "it is empty")
}
