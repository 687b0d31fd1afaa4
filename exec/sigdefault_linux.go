package exec

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// useDefaults gives the signals the kernel's own default effects. It returns when
// no thread is running a handler of them any more, or after handlersReturnIn.
//
// Go's defaults are handlers, too. The one of QUIT prints all stacks. And if execve
// ends a thread on which a handler has just begun, the signal is lost.
func useDefaults(signals []syscall.Signal) {
	var action [32]byte // struct kernel_sigaction: all zero is SIG_DFL, on every platform
	for _, sig := range signals {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig),
			uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
	awaitHandlers()
}

// handlersReturnIn limits how long awaitHandlers waits. A handler returns within
// microseconds; a thread that takes longer is held by the kernel in a system call, such
// as a stat of a file system that does not answer, and so runs no handler.
const handlersReturnIn = 100 * time.Millisecond

// awaitHandlers waits until every handler that runs on another thread has returned.
//
// It sends each thread an URG, which Go uses to interrupt its threads and which has no
// other effect. A handler blocks all signals, so a thread takes the URG only after the
// handlers that had begun. Until then the URG is among the thread's pending signals
// (SigPnd in proc_pid_status(5)). A thread without /proc is not waited for.
//
// syscall.AllThreadsSyscall waits for the same, but for ever: when the kernel holds a
// thread, and when no real-time signal can be queued (RLIMIT_SIGPENDING).
func awaitHandlers() {
	deadline := time.Now().Add(handlersReturnIn)
	tasks, _ := os.ReadDir("/proc/self/task")
	var threads []int
	for _, task := range tasks {
		if thread, err := strconv.Atoi(task.Name()); err == nil && thread != unix.Gettid() {
			_ = unix.Tgkill(unix.Getpid(), thread, unix.SIGURG)
			threads = append(threads, thread)
		}
	}
	for _, thread := range threads {
		for isPending(thread, unix.SIGURG) && time.Now().Before(deadline) {
			time.Sleep(20 * time.Microsecond)
		}
	}
}

// isPending reports whether a thread of this process has not taken a signal yet that was
// sent to it.
func isPending(thread int, sig syscall.Signal) bool {
	status, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(thread) + "/status")
	_, rest, found := bytes.Cut(status, []byte("\nSigPnd:\t"))
	mask, _, _ := bytes.Cut(rest, []byte("\n"))
	if err != nil || !found {
		return false
	}
	pending, err := strconv.ParseUint(string(mask), 16, 64)
	return err == nil && pending&(1<<(sig-1)) != 0
}
